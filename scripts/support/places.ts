// Where things are in a checkout.
import { resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../..');
/** What scripts and tests leave behind for people: pictures, packages, logs. */
export const out = resolve(root, 'out');
export const inRoot = (...parts: string[]): string => resolve(root, ...parts);
