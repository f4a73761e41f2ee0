import { testHonestHistories } from './random-mad-histories.js';

testHonestHistories(400);
