/** `kill -9` of the active router of a pair at random moments of a move. See pair-crash.ts. */
import { test } from 'node:test';
import { crashes, crashTitle } from './pair-crash.js';
import { cannotRun } from './support.js';

test(crashTitle('active'), { skip: cannotRun }, (t) => crashes(t, 'active'));
