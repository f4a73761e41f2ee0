/**
 * What an object holds on to, however private: every Map, Set and array that is reachable from it by properties, private
 * fields and what closures have captured, and how many elements each has. V8's inspector is asked, since nothing else sees
 * private fields. Of a collection's elements the first and the last few are looked into.
 */
import { Session } from 'node:inspector';

const LOOKED_INTO = 6;
const MOST_OBJECTS = 60_000;

interface RemoteObject {
  readonly type: string;
  readonly subtype?: string;
  readonly objectId?: string;
  readonly description?: string;
}

interface Property {
  readonly name: string;
  readonly value?: RemoteObject;
}

interface Properties {
  readonly result: readonly Property[];
  readonly privateProperties?: readonly Property[];
  readonly internalProperties?: readonly Property[];
}

/** Runs in the inspected object's place. */
const LOOK = `function (seen, most) {
  if (seen.has(this)) return undefined;
  seen.add(this);
  const isCollection = this instanceof Map || this instanceof Set;
  if (!isCollection && !Array.isArray(this)) {
    return { size: ArrayBuffer.isView(this) ? -1 : undefined, some: [] };
  }
  const all = isCollection ? [...(this instanceof Map ? this.entries() : this.values())] : this;
  const some = all.length <= 2 * most ? [...all] : [...all.slice(0, most), ...all.slice(-most)];
  return { size: all.length, some };
}`;

/**
 * By the way to it (names of fields, without positions), the elements of all collections there together.
 * @param except objects that are none of its memory, with all that only they hold
 */
export function reachableSizes(root: object, except: readonly object[] = []): Map<string, number> {
  return new Walk(except).from(root);
}

class Walk {
  readonly #session = new Session();
  readonly #sizes = new Map<string, number>();
  readonly #seen = new WeakSet<object>();

  constructor(except: readonly object[]) {
    for (const object of except) this.#seen.add(object);
  }

  from(root: object): Map<string, number> {
    this.#session.connect();
    const place = globalThis as { reachableRoot?: object; reachableSeen?: object };
    place.reachableRoot = root;
    place.reachableSeen = this.#seen;
    try {
      const seen = this.#evaluate('reachableSeen');
      const queue: [objectId: string, way: string][] = [[this.#evaluate('reachableRoot'), '']];
      // The nearest first, so that each is found by its shortest way. The queue grows meanwhile.
      for (const [objectId, way] of queue) {
        if (queue.length > MOST_OBJECTS) throw new Error(`more than ${MOST_OBJECTS} objects`);
        this.#look(objectId, way, seen, queue);
      }
      return this.#sizes;
    } finally {
      delete place.reachableRoot;
      delete place.reachableSeen;
      this.#session.disconnect();
    }
  }

  #evaluate(expression: string): string {
    const { result } = this.#post<{ result: RemoteObject }>('Runtime.evaluate', { expression });
    return result.objectId ?? '';
  }

  #look(objectId: string, way: string, seen: string, queue: [string, string][]): void {
    const looked = this.#post<{ result: RemoteObject }>('Runtime.callFunctionOn', {
      objectId,
      functionDeclaration: LOOK,
      arguments: [{ objectId: seen }, { value: LOOKED_INTO }],
    }).result.objectId;
    if (looked === undefined) return;
    const properties = this.#properties(looked).result;
    const size = properties.find(({ name }) => name === 'size')?.value as { value?: number } | undefined;
    const some = properties.find(({ name }) => name === 'some')?.value?.objectId;
    if (size?.value === -1) return;
    if (size?.value !== undefined) {
      this.#sizes.set(way, (this.#sizes.get(way) ?? 0) + size.value);
      if (some !== undefined) this.#follow(some, `${way}[]`, queue);
    } else this.#follow(objectId, way, queue);
  }

  #follow(objectId: string, way: string, queue: [string, string][]): void {
    const { result, privateProperties = [], internalProperties = [] } = this.#properties(objectId);
    for (const { name, value } of [...result, ...privateProperties]) {
      if (name === '__proto__' || name === 'prototype' || value?.objectId === undefined) continue;
      queue.push([value.objectId, /^\d+$/.test(name) ? way : `${way}.${name}`]);
    }
    for (const { name, value } of internalProperties) {
      if (name === '[[Scopes]]' && value?.objectId !== undefined) this.#scopes(value.objectId, way, queue);
      if (name === '[[BoundThis]]' && value?.objectId !== undefined) queue.push([value.objectId, way]);
    }
  }

  /** Of functions: what they have captured, but not their modules and the world. */
  #scopes(objectId: string, way: string, queue: [string, string][]): void {
    for (const { value } of this.#properties(objectId).result) {
      if (value?.objectId === undefined || !/^(Closure|Block)/.test(value.description ?? '')) continue;
      for (const { name, value: captured } of this.#properties(value.objectId).result) {
        if (captured?.objectId !== undefined) queue.push([captured.objectId, `${way}(${name})`]);
      }
    }
  }

  #properties(objectId: string): Properties {
    return this.#post<Properties>('Runtime.getProperties', { objectId, ownProperties: true });
  }

  /** The inspector of one's own thread answers before `post` returns. */
  #post<T>(method: string, params: object): T {
    let answer: T | undefined;
    this.#session.post(method, params, (error, result) => {
      if (error !== null) throw new Error(error.message);
      answer = result as T;
    });
    if (answer === undefined) throw new Error(`${method} was not answered at once`);
    return answer;
  }
}
