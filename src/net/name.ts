/**
 * Names of routers, vnets, sites, couriers and the like: 1 to 63 characters, so that they fit a wire field and a table's column.
 * Published in the JSON Schemas as well.
 */
export const NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

export const NAME_RULE = 'use 1 to 63 letters, digits, ".", "_", "-", a letter or digit first and last';
