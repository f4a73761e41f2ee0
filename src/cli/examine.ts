/** What `vinectl doctor` looks at itself: the files, and the machine when no router runs there to look. */
import { error, type Finding, ok, warning } from '../config/finding.js';
import { heldAddresses } from '../config/interfaces.js';
import { type LoadOutcome, loadConfigDirectory } from '../config/load.js';
import { kernelForwards, readLinks } from '../config/machine.js';
import { checkForwarding, checkGateways, checkLans, checkStateDir } from '../config/machine-checks.js';

export function examineDirectory(directory: string): Finding[] {
  const loaded = loadConfigDirectory(directory);
  if ('errors' in loaded) {
    return loaded.errors.map(({ file, path, message }) =>
      error(
        'files',
        [file, path].filter((part) => part !== '').join(': '),
        message,
        'correct it; "vinectl check" checks again',
      ),
    );
  }
  return [
    ok('files', directory, `the configuration of ${loaded.config.router.id} is good`),
    ...loaded.warnings.map((text) => warning('files', directory, text, '')),
  ];
}

/** Nothing when the files cannot tell which interfaces are meant. */
export async function examineMachine(directory: string): Promise<Finding[]> {
  const loaded: LoadOutcome = loadConfigDirectory(directory);
  if ('errors' in loaded) return [];
  const { lans, stateDir } = loaded.config.router;
  const forwarding = lans.map((lan) => lan.interface).filter(kernelForwards);
  return [
    ...checkLans(lans, await readLinks(), 0),
    ...checkGateways(lans, heldAddresses(), []).filter(({ level }) => level !== 'ok'),
    checkForwarding(forwarding, undefined),
    checkStateDir(stateDir),
  ];
}
