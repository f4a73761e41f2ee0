/** uPlot with the page's colours, as wide as its place, drawn anew when either changes. The same numbers stand in a table. */
import uPlot from 'uplot';

type Data = uPlot.AlignedData;
type Describe = (colour: (name: string) => string) => Omit<uPlot.Options, 'width' | 'height'>;

const HEIGHT = 180;

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
    this.#data = data;
    if (this.#plot === undefined) this.#draw();
    else this.#plot.setData(data);
  }

  #draw(): void {
    if (this.#place.clientWidth === 0) return;
    this.#plot?.destroy();
    const style = getComputedStyle(this.#place);
    const options = this.#describe((name) => style.getPropertyValue(`--${name}`).trim());
    this.#plot = new uPlot(
      { ...options, width: this.#place.clientWidth, height: HEIGHT },
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

export function axis(colour: (name: string) => string, values?: (value: number) => string): uPlot.Axis {
  return {
    stroke: colour('dim'),
    grid: { stroke: colour('line'), width: 1 },
    ticks: { stroke: colour('line'), width: 1 },
    ...(values && {
      values: (_plot, splits) => splits.map((value) => (value === null ? '' : values(value))),
      size: 80,
    }),
  };
}
