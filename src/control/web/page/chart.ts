/** uPlot with the page's colours, as wide as its place, drawn anew when either changes. The same numbers stand in a table. */
import uPlot from 'uplot';
import { preciseTime } from '../../units.js';
import { timeLabels } from '../model/axes.js';

type Data = uPlot.AlignedData;
type Describe = (colour: Colour) => Omit<uPlot.Options, 'width' | 'height'>;

const HEIGHT = 200;
const LABEL_WIDTH = 96;

export class Chart {
  readonly #place: HTMLElement;
  readonly #describe: Describe;
  #plot: uPlot | undefined;
  #data: Data = [[]];

  constructor(place: HTMLElement, describe: Describe) {
    this.#place = place;
    this.#describe = describe;
    new ResizeObserver(() => this.#resize()).observe(place);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
  }

  show(data: Data): void {
    this.#data = twoAtLeast(data);
    if (this.#plot === undefined) this.#draw();
    else this.#plot.setData(this.#data);
  }

  #draw(): void {
    if (this.#place.clientWidth === 0) return;
    this.#plot?.destroy();
    const style = getComputedStyle(this.#place);
    const options = this.#describe((name) => style.getPropertyValue(`--${name}`).trim());
    this.#plot = new uPlot(
      {
        ...options,
        width: this.#place.clientWidth,
        height: HEIGHT,
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), 'Etc/UTC'),
      },
      this.#data,
      this.#place,
    );
  }

  #resize(): void {
    if (this.#plot === undefined) this.#draw();
    else if (this.#plot.width !== this.#place.clientWidth && this.#place.clientWidth > 0)
      this.#plot.setSize({ width: this.#place.clientWidth, height: HEIGHT });
  }
}

/** Around one point alone uPlot shows years; with an empty one beside it, the axis is as long as it is to be. */
function twoAtLeast(data: Data): Data {
  const [times, ...values] = data;
  const [only] = times;
  if (only === undefined || times.length > 1) return data;
  return [[only - 1, only], ...values.map(([value]) => [null, value])];
}

type Colour = (name: string) => string;

function lines(colour: Colour): uPlot.Axis {
  return {
    stroke: colour('dim'),
    grid: { stroke: colour('faint'), width: 1 },
    ticks: { stroke: colour('line'), width: 1 },
  };
}

export function timeAxis(colour: Colour): uPlot.Axis {
  return {
    ...lines(colour),
    values: (_plot, splits, _axis, _space, apart) => timeLabels(splits, apart),
  };
}

/** @param steps between two labels; without them, what is round in tens */
export function valueAxis(
  colour: Colour,
  text: (value: number) => string,
  steps?: readonly number[],
): uPlot.Axis {
  return {
    ...lines(colour),
    values: (_plot, splits) => splits.map((value) => (value === null ? '' : text(value))),
    size: LABEL_WIDTH,
    ...(steps && { incrs: [...steps] }),
  };
}

/** What the legend says of the time under the pointer. */
export const TIMES: uPlot.Series = {
  label: 'Time',
  value: (_plot, seconds) => (seconds === null ? '' : preciseTime(new Date(seconds * 1_000).toISOString())),
};
