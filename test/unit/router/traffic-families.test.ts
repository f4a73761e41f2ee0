import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metrics } from '../../../src/router/view/metrics.js';
import { metricsSource } from './metrics-support.js';

test('traffic is told by pairs of sites, each direction by itself', async () => {
  const pairs = [
    { vnet: 'blue', sourceSite: 'vr-a', destinationSite: 'vr-b', packets: 3, bytes: 4_000 },
    { vnet: 'blue', sourceSite: 'vr-b', destinationSite: 'vr-a', packets: 1, bytes: 60 },
  ];
  const source = { ...metricsSource(), siteTraffic: () => ({ pairs, unattributedBytes: 7 }) };
  const { text } = await new Metrics(source).collect();
  assert.deepEqual(
    text.split('\n').filter((line) => line.startsWith('vine_traffic_')),
    [
      'vine_traffic_packets_total{vnet="blue",source_site="vr-a",destination_site="vr-b"} 3',
      'vine_traffic_packets_total{vnet="blue",source_site="vr-b",destination_site="vr-a"} 1',
      'vine_traffic_bytes_total{vnet="blue",source_site="vr-a",destination_site="vr-b"} 4000',
      'vine_traffic_bytes_total{vnet="blue",source_site="vr-b",destination_site="vr-a"} 60',
      'vine_traffic_unattributed_bytes_total 7',
    ],
  );
});
