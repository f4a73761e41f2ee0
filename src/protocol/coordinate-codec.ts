/** A router's place among the others (proto/vine.proto, `Coordinate`): microseconds on the wire, milliseconds here. */
import { type Coordinate, MOST_RTT_MS } from '../net/coordinates.js';
import type { FieldReader } from './field-reader.js';

const US_PER_MS = 1_000;
const MOST_US = MOST_RTT_MS * US_PER_MS;
const PERMILLE = 1_000;

export function readCoordinate(fields: FieldReader): Coordinate {
  return {
    point: (['xUs', 'yUs', 'zUs'] as const).map((name) => fields.int(name, MOST_US) / US_PER_MS),
    heightMs: fields.uint('heightUs', MOST_US) / US_PER_MS,
    error: fields.uint('errorPermille', PERMILLE) / PERMILLE,
  };
}

/** What is beyond the range is told as its end. */
export function coordinateToWire({ point, heightMs, error }: Coordinate): Readonly<Record<string, number>> {
  const us = (ms: number): number => Math.round(Math.max(-MOST_US, Math.min(MOST_US, ms * US_PER_MS)));
  const [x = 0, y = 0, z = 0] = point;
  return {
    xUs: us(x),
    yUs: us(y),
    zUs: us(z),
    heightUs: us(heightMs),
    errorPermille: Math.round(error * PERMILLE),
  };
}
