/** What the agreement tells, as operators read it. */
import type { AgreementEventName } from '../../membership/agreement-ports.js';
import type { EventLevel } from '../view/event-hub.js';

export const DESCRIPTION_EVENTS: Readonly<Record<AgreementEventName, readonly [EventLevel, string]>> = {
  description_applied: ['info', 'another description of the network is applied, on trial'],
  description_confirmed: ['info', 'the description of the network stands'],
  description_refused: ['warn', 'a signed description cannot be applied here'],
  description_signed_twice: ['error', 'the network key has signed two descriptions of one version'],
  description_undo_failed: ['error', 'a description could not be undone'],
  description_undone: ['warn', 'a description of the network is undone: too many peers were lost'],
  network_key_changed: ['info', 'the network has a new key'],
  network_key_signed_twice: ['error', 'the network key has named two successors'],
  state_write_failed: ['error', 'the state could not be written'],
};
