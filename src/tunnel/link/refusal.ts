/** Which routers this one talks to, by what they say of themselves. */
import type { HelloMessage } from '../../protocol/control-message.js';
import type { RouterId } from '../../tables/model.js';

export interface Terms {
  /** What we greet with. */
  readonly hello: HelloMessage;
  /** The protocol's minor version that a peer has to speak, for what the network has. */
  readonly leastMinor: number;
}

/** Why this router does not talk to one that greets so. */
export function refusalOf(
  hello: HelloMessage,
  { hello: ours, leastMinor }: Terms,
  expectedId: RouterId,
): string | undefined {
  if (hello.protocolMajor !== ours.protocolMajor) {
    return `${hello.routerId} speaks protocol ${hello.protocolMajor}, ${ours.routerId} speaks ${ours.protocolMajor}`;
  }
  if (hello.routerId !== expectedId) {
    return `the key of ${expectedId} is used by a router that calls itself ${hello.routerId}`;
  }
  if (hello.protocolMinor < leastMinor) {
    return `${hello.routerId} runs a version that knows no sites of two routers: upgrade it`;
  }
  return undefined;
}
