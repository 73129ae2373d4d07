/*
 * page.js - the page at /docs with as much of a browser as it needs: prints the text that it shows.
 *
 *     node page.js URL
 */
"use strict";
class Element {
  constructor(tag) {
    this.tag = tag;
    this.children = [];
    this.textContent = "";
  }
  append(...children) { this.children.push(...children); }
  prepend(...children) { this.children.unshift(...children); }
  get firstChild() { return this.children[0]; }
  get shown() {
    return this.textContent + this.children.map(child => child.shown ?? child).join(" ") + "\n";
  }
}

(async () => {
  const url = process.argv[2], get = globalThis.fetch;
  const html = await (await get(url + "/docs")).text();
  const places = {};
  for (const [, id] of html.matchAll(/id="([a-z]+)"/g)) places[id] = new Element("place");
  const document = {
    createElement: tag => new Element(tag),
    getElementById: id => places[id],
  };
  const script = html.match(/<script>([\s\S]*)<\/script>/)[1];
  let pending = 0;
  const fetch = path => {
    pending++;
    return get(url + "/" + path).finally(() => pending--);
  };
  new Function("document", "fetch", script)(document, fetch);
  while (pending > 0) await new Promise(done => setTimeout(done, 10));
  await new Promise(done => setTimeout(done, 50));
  for (const place of Object.values(places)) console.log(place.shown);
})();
