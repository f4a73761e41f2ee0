import { testRandomHistories } from './random-histories.js';

testRandomHistories(1);
