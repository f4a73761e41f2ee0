import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setMember } from '../../../src/membership/member-text.js';

const CASES: readonly [before: string, after: string][] = [
  ['{\n  "vnets": []\n}\n', '{\n  "version": 4,\n  "vnets": []\n}\n'],
  ['{\r\n  "vnets": []\r\n}', '{\r\n  "version": 4,\r\n  "vnets": []\r\n}'],
  ['{ "vnets": [] }', '{ "version": 4, "vnets": [] }'],
  ['{}', '{ "version": 4}'],
  ['{"version":3,"vnets":[]}', '{"version":4,"vnets":[]}'],
  ['{"vnets":[],"version" :  3 \n}', '{"vnets":[],"version" :  4 \n}'],
  ['{"a":{"version":1},"version":3}', '{"a":{"version":1},"version":4}'],
  [
    '{"a":"version","b":["version",{"version":2}],"version":3}',
    '{"a":"version","b":["version",{"version":2}],"version":4}',
  ],
  ['{"a":"\\"version\\": 9, {","version":3}', '{"a":"\\"version\\": 9, {","version":4}'],
  ['{"\\u0076ersion":3}', '{"\\u0076ersion":4}'],
  ['{"version":[1,{"x":2}],"b":1}', '{"version":4,"b":1}'],
];

for (const [before, after] of CASES) {
  test(`${JSON.stringify(before)}`, () => {
    const changed = setMember(before, 'version', '4');
    assert.equal(changed, after);
    assert.equal(JSON.parse(changed).version, 4);
    assert.equal(setMember(changed, 'version', '4'), after);
  });
}
