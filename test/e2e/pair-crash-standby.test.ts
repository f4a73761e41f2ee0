/** `kill -9` of the standby router of a pair at random moments of a move. See pair-crash.ts. */
import { test } from 'node:test';
import { crashes, crashTitle } from './pair-crash.js';
import { cannotRun } from './support.js';

test(crashTitle('standby'), { skip: cannotRun }, (t) => crashes(t, 'standby'));
