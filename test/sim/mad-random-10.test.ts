import { testMadHistories } from './random-mad-histories.js';

testMadHistories(9);
