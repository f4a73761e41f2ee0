/** Nodes by nodes on a canvas: a cursor that the mouse and the arrow keys move, and a sentence on what is under it. */
import { shadeOf } from '../model/heat.js';
import { cellSentence, EMPTY_MATRIX, type Matrix } from '../model/matrix.js';
import { byId, element, setText } from './dom.js';

const MOST_PIXELS = 620;
const MOST_CELL = 24;
/** What is smaller cannot be seen; it covers a neighbour instead, the smaller traffic first. */
const LEAST_CELL_PIXELS = 3;
/** CSS pixels of a cell beside which a name can be read. */
const NAMED_CELL = 16;
const STEPS: Readonly<Record<string, readonly [row: number, column: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  PageUp: [-10, 0],
  PageDown: [10, 0],
};

export class HeatCanvas {
  readonly #canvas: HTMLCanvasElement;
  readonly #frame: HTMLElement;
  readonly #sentence: HTMLElement;
  readonly #names = byId('heat-names');
  #matrix: Matrix = EMPTY_MATRIX;
  #row = 0;
  #column = 0;

  /** @param frame around the canvas; it has the keyboard */
  constructor(canvas: HTMLCanvasElement, frame: HTMLElement, sentence: HTMLElement) {
    this.#canvas = canvas;
    this.#frame = frame;
    frame.tabIndex = 0;
    this.#sentence = sentence;
    canvas.addEventListener('pointermove', (event) => this.#point(event));
    frame.addEventListener('keydown', (event) => this.#press(event));
    frame.addEventListener('focus', () => {
      this.#draw();
      this.#say();
    });
    frame.addEventListener('blur', () => this.#draw());
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
  }

  show(matrix: Matrix): void {
    this.#matrix = matrix;
    this.#moveTo(this.#row, this.#column);
    this.#draw();
    this.#showNames();
  }

  /** Of the rows; the columns have the same order. */
  #showNames(): void {
    const height = this.#cellPixels() / devicePixelRatio;
    const names = height < NAMED_CELL ? [] : this.#matrix.names;
    this.#names.replaceChildren(...names.map((name) => element('li', {}, name)));
    this.#names.style.lineHeight = `${height}px`;
  }

  /** Side of a cell, of device pixels. */
  #cellPixels(): number {
    const count = Math.max(1, this.#matrix.names.length);
    return Math.max(1, Math.min(MOST_CELL, Math.floor((MOST_PIXELS * devicePixelRatio) / count)));
  }

  #draw(): void {
    const { names, cells, largest, groups } = this.#matrix;
    const size = this.#cellPixels();
    const canvas = this.#canvas;
    const style = getComputedStyle(canvas);
    const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
    canvas.width = canvas.height = Math.max(1, names.length * size);
    canvas.style.setProperty('width', `${canvas.width / devicePixelRatio}px`);
    const context = canvas.getContext('2d');
    if (context === null) return;
    context.fillStyle = colour('heat-0');
    context.fillRect(0, 0, canvas.width, canvas.height);
    const shown = Math.max(size, LEAST_CELL_PIXELS);
    const inOrder = [...cells.values()].sort((one, other) => one.bytesPerSecond - other.bytesPerSecond);
    for (const { row, column, bytesPerSecond } of inOrder) {
      context.fillStyle = colour(`heat-${shadeOf(bytesPerSecond, largest)}`);
      context.fillRect(column * size, row * size, shown, shown);
    }
    context.strokeStyle = colour('group');
    context.lineWidth = 2;
    for (const { first, end } of groups)
      context.strokeRect(first * size, first * size, (end - first) * size, (end - first) * size);
    if (document.activeElement !== this.#frame) return;
    context.strokeStyle = colour('accent');
    context.strokeRect(this.#column * size, this.#row * size, size, size);
  }

  #point(event: PointerEvent): void {
    const scale = devicePixelRatio / this.#cellPixels();
    this.#moveTo(Math.floor(event.offsetY * scale), Math.floor(event.offsetX * scale));
    this.#say();
  }

  #press(event: KeyboardEvent): void {
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.#moveTo(this.#row + step[0], this.#column + step[1]);
    this.#draw();
    this.#say();
  }

  #moveTo(row: number, column: number): void {
    const last = Math.max(0, this.#matrix.names.length - 1);
    this.#row = Math.min(last, Math.max(0, row));
    this.#column = Math.min(last, Math.max(0, column));
  }

  #say(): void {
    const sentence = cellSentence(this.#matrix, this.#row, this.#column);
    if (sentence !== '') setText(this.#sentence, sentence);
  }
}
