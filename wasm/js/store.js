// Pages whose lines outlive them: as the main entry, with a module that has a store.

import text from '../dist/parts/inline.js';

import { start } from './border.js';
import { Keeper } from './keeper.js';
import { runtime } from './sender.js';

runtime.Keeper = Keeper;
start(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)));

export * from './api.js';

export default async function init() {}
