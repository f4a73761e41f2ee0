/** So many faults, as many of each kind (the first kinds have one more where that does not come out even), in random order. */
export function shuffled<T>(kinds: readonly T[], count: number, random: () => number): T[] {
  const order = Array.from({ length: count }, (_, i) => kinds[i % kinds.length]).filter(
    (kind): kind is T => kind !== undefined,
  );
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const [one, other] = [order[i], order[j]];
    if (one === undefined || other === undefined) continue;
    order[i] = other;
    order[j] = one;
  }
  return order;
}
