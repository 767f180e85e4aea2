// Series that were sent before: the core has prepared them, so that only value and time go to it. They stand in a tree by
// the strings that they are made of: no text has to be made of these to find them, and no two series are the same there.

import * as core from '../dist/parts/core.js';
import { prepare } from './calls.js';

// Strings of series that are kept, and characters of a series that is.
const [MOST, LONGEST] = [2048, 512];

// After so many new ones without a known one only one call in so many is looked up: where nothing comes a second time, that
// costs little.
const [IN_VAIN, ONE_IN] = [32, 8];

class Node {
  // The series of which this is the last string; -1 where it is not prepared.
  series = -1;
  // Whether it was sent before.
  seen = false;
  // By the string that comes next.
  next;
}

export class Known {
  #root = new Node();
  #count = 0;
  #vain = 0;
  #turn = 0;
  #prepared = [];

  // The number of the series of these strings; negative where it is not prepared.
  find(pipe, strings) {
    if (this.#vain > IN_VAIN && ++this.#turn % ONE_IN > 0) return -1;
    let node = this.#root;
    for (let at = 1; at < strings.length; at++) {
      const next = node.next?.get(strings[at]);
      if (!next) return this.#add(pipe, node, strings, at);
      node = next;
    }
    if (node.series < 0) return this.#prepare(pipe, node, strings);
    this.#vain = 0;
    return node.series;
  }

  #add(pipe, node, strings, at) {
    this.#vain++;
    if (strings.reduce((sum, { length }) => sum + length, 0) > LONGEST) return -1;
    if (this.#count > MOST) {
      for (const series of this.#prepared) core.forget_series(pipe, series);
      [this.#root, this.#count, this.#prepared] = [new Node(), 0, []];
      [node, at] = [this.#root, 1];
    }
    for (; at < strings.length; at++) {
      const next = new Node();
      (node.next ??= new Map()).set(strings[at], next);
      node = next;
      this.#count++;
    }
    node.seen = true;
    return -1;
  }

  #prepare(pipe, node, strings) {
    // The first time, for one that is the beginning of others.
    if (!node.seen) {
      node.seen = true;
      return -1;
    }
    // What is wrong with it, the call itself says.
    const series = (node.series = prepare(strings)(pipe));
    if (series >= 0) this.#prepared.push(series);
    this.#vain = 0;
    return series;
  }
}
