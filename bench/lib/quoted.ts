/** The documents that quote figures, as they should be. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../test/lab/daemon.js';
import { type AdviceRun, adviceFigures } from './advice-figures.js';
import { performanceFigures, readmeFigures, type SoakReport, withFigures } from './figures.js';
import type { ThroughputReport } from './report.js';
import { type SensorRun, sensorFigures } from './sensor-figures.js';

export interface Quoted {
  readonly file: string;
  readonly path: string;
  readonly text: string;
}

/** Throws when a document has lost its markers, or there is no run to quote. */
export function quoted(): readonly Quoted[] {
  const at = (file: string): string => join(projectRoot, file);
  const json = (file: string): unknown => JSON.parse(readFileSync(at(file), 'utf8'));
  const report = json('bench/results/throughput.json') as ThroughputReport;
  const soakFile = 'bench/results/soak.json';
  const soak = existsSync(at(soakFile)) ? (json(soakFile) as SoakReport) : undefined;
  const documents = [
    ['README.md', readmeFigures(report)],
    ['docs/performance.md', performanceFigures(report, soak)],
    ['docs/advice.md', adviceFigures(json('bench/results/advice.json') as AdviceRun)],
    ['docs/operating.md', sensorFigures(json('bench/results/sensor.json') as SensorRun)],
  ] as const;
  return documents.map(([file, figures]) => ({
    file,
    path: at(file),
    text: withFigures(readFileSync(at(file), 'utf8'), figures),
  }));
}
