/** The kinds of text that the three files share, each read into its value type. */

import { z } from 'zod';
import { NAME } from '../../net/name.js';
import { HOST_NAME } from './host-name.js';
import {
  readCollector,
  readEndpoint,
  readFilePath,
  readFlowListen,
  readInterface,
  readKey,
  readListen,
  readMac,
  readName,
  readNodeIp,
  readNodePrefix,
  readPrefix,
  readSensorListen,
  readSocketAddress,
} from './read.js';
import { text } from './schema.js';

const ADDRESS = '^[0-9A-Fa-f:.]+$';
const PREFIX = '^[0-9A-Fa-f:.]+/[0-9]{1,3}$';
const LISTEN = '^(udp|tcp)://([0-9.]+|\\[[0-9A-Fa-f:.]+\\]):[0-9]{1,5}$';
const ENDPOINT = `^(udp|tcp)://([0-9.]+|\\[[0-9A-Fa-f:.]+\\]|${HOST_NAME}):[0-9]{1,5}$`;

/** Editors look for it; we do not. */
export const schemaReference = z
  .string()
  .optional()
  .meta({ description: 'Where an editor finds the JSON Schema; ignored' });

export const routerId = (description: string) =>
  text(readName, { description, examples: ['vr-a'], pattern: NAME.source });

export const vnetName = (description: string) =>
  text(readName, { description, examples: ['blue'], pattern: NAME.source });

export const interfaceName = (description: string) =>
  text(readInterface, { description, examples: ['eth0', 'eth0.12'], pattern: '^[!-.0-~]{1,15}$' });

export const filePath = (description: string) =>
  text(readFilePath, { description: `${description}; relative paths are relative to this file's directory` });

export const nodeIp = (description: string) =>
  text(readNodeIp, { description, examples: ['10.1.0.9', 'fd00:1::9'], pattern: ADDRESS });

export const networkPrefix = (description: string) =>
  text(readPrefix, { description, examples: ['10.1.0.0/24', 'fd00:1::/64'], pattern: PREFIX });

export const nodePrefix = (description: string) =>
  text(readNodePrefix, {
    description,
    examples: ['10.1.0.9', '10.1.0.0/24'],
    pattern: '^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$',
  });

export const macAddress = (description: string) =>
  text(readMac, {
    description,
    examples: ['52:54:00:00:00:09'],
    pattern: '^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$',
  });

export const publicKey = (description: string) =>
  text(readKey, { description, pattern: '^[A-Za-z0-9+/]{43}=$' });

export const listenUrl = (description: string) =>
  text(readListen, { description, examples: ['udp://0.0.0.0:7700', 'udp://[::]:7700'], pattern: LISTEN });

export const endpointUrl = (description: string) =>
  text(readEndpoint, {
    description,
    examples: ['udp://192.0.2.1:7700', 'tcp://[2001:db8::1]:7700', 'udp://vr-a.example.net:7700'],
    pattern: ENDPOINT,
  });

export const collectorUrl = (description: string) =>
  text(readCollector, {
    description,
    examples: ['udp://192.0.2.9:4739'],
    pattern: '^udp://([0-9.]+|\\[[0-9A-Fa-f:.]+\\]):[0-9]{1,5}$',
  });

export const flowListenUrl = (description: string) =>
  text(readFlowListen, {
    description,
    examples: ['udp://10.1.0.2:4739', 'udp://[::]:6343'],
    pattern: '^udp://([0-9.]+|\\[[0-9A-Fa-f:.]+\\]):[0-9]{1,5}$',
  });

export const sensorListenUrl = (description: string) =>
  text(readSensorListen, {
    description,
    examples: ['tcp://10.1.0.2:7701', 'unix:/run/vine/sensor.sock'],
    pattern: '^(tcp://([0-9.]+|\\[[0-9A-Fa-f:.]+\\]):[0-9]{1,5}|unix:/.+)$',
  });

export const socketAddress = (description: string) =>
  text(readSocketAddress, {
    description,
    examples: ['127.0.0.1:9770', '[::1]:9770'],
    pattern: '^([0-9.]+|\\[[0-9A-Fa-f:.]+\\]):[0-9]{1,5}$',
  });
