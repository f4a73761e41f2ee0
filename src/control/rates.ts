/** Of a counter that was looked at twice. One that has gone back was begun anew: what it has is what it got since. */
export function growthPerSecond(before: number, now: number, seconds: number): number {
  return (now < before ? now : now - before) / seconds;
}
