/** The command line of vinectl: verbs, options, help. */
import { Command } from 'commander';
import { DEFAULT_SOCKET } from './context.js';
import type { Io } from './io.js';
import { addAdvice } from './verbs/advice.js';
import { addConfigVerbs } from './verbs/config.js';
import { addCourier } from './verbs/courier.js';
import { addDhcpVerbs } from './verbs/dhcp.js';
import { addDoctor } from './verbs/doctor.js';
import { addGraph } from './verbs/graph.js';
import { examples } from './verbs/help.js';
import { addJoin } from './verbs/join.js';
import { addLiveVerbs } from './verbs/live.js';
import { addLookVerbs } from './verbs/look.js';
import { addNetworkVerbs } from './verbs/network.js';
import { addNodeVerbs } from './verbs/node.js';
import { addRole } from './verbs/role.js';
import { addShellVerbs } from './verbs/shell.js';
import { addSteeringVerbs } from './verbs/steer.js';
import { addTokenVerbs } from './verbs/token.js';
import { addTraffic } from './verbs/traffic.js';
import { addWeb } from './verbs/web.js';
import { packageVersion } from './version.js';

/** Throws commander's `CommanderError` instead of ending the process. */
export function createProgram(io: Io): Command {
  const program = new Command('vinectl')
    .description('Look at and steer the ViNe router on this machine.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .option('--json', 'print JSON as the router sends it')
    .option('--socket <path>', `the router's control socket (default: $VINE_SOCKET or ${DEFAULT_SOCKET})`)
    .option('--no-color', 'no colour, also on a terminal')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [verb]', 'print help for a verb')
    .configureHelp({ showGlobalOptions: true, subcommandTerm: verbTerm })
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .showHelpAfterError('(vinectl --help shows what there is)')
    .exitOverride();
  examples(program, [
    'vinectl status',
    'vinectl route get 10.2.0.7',
    'vinectl migrations --last 1',
    'vinectl events --follow',
  ]);
  program.addHelpText('after', EXIT_STATUS);
  addLookVerbs(program, io);
  addSteeringVerbs(program, io);
  addRole(program, io);
  addLiveVerbs(program, io);
  addTraffic(program, io);
  addAdvice(program, io);
  addWeb(program, io);
  addGraph(program, io);
  addDhcpVerbs(program, io);
  addCourier(program, io);
  addDoctor(program, io);
  addConfigVerbs(program, io);
  addNodeVerbs(program, io);
  addNetworkVerbs(program, io);
  addTokenVerbs(program, io);
  addJoin(program, io);
  addShellVerbs(program, io);
  return program;
}

const EXIT_STATUS = `
Exit status:
  0  done
  1  the router or courier says no, or the configuration has errors
  2  wrong usage
  3  no router, or no courier, answers on the socket`;

/** One line a verb; its own options are in its own help. */
function verbTerm(command: Command): string {
  const operands = command.registeredArguments.map((operand) => operand.name());
  if (command.name() === 'route') return 'route get IP [from IP]';
  if (command.name() === 'node') return 'node add';
  if (command.name() === 'network') return 'network VERB';
  if (command.name() === 'token') return 'token create';
  if (command.name() === 'dhcp') return 'dhcp ignore';
  if (command.name() === 'courier') return 'courier VERB';
  return [command.name(), ...operands].join(' ');
}
