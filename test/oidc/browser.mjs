// What a browser and the person before it do: follow where one is sent, keep cookies,
// sign in and agree where a page asks for it.
export class Browser {
  #cookies = new Map();
  pages = []; // paths of the pages that asked for something

  async go(url, until) {
    let request = [url, {}];
    for (let hops = 0; hops < 20; hops++) {
      const [to, init] = request;
      const answer = await fetch(to, {
        ...init, redirect: "manual",
        headers: { ...init.headers, cookie: [...this.#cookies].map(([k, v]) => k + "=" + v).join("; ") },
      });
      for (const c of answer.headers.getSetCookie()) {
        const [, name, value] = c.match(/^([^=]+)=([^;]*)/);
        if (/max-age=0/i.test(c)) this.#cookies.delete(name);
        else this.#cookies.set(name, value);
      }
      const location = answer.headers.get("location");
      if (location) {
        const next = new URL(location, to);
        if (next.href.startsWith(until)) return next;
        request = [next.href, {}];
        continue;
      }
      const text = await answer.text();
      const form = text.match(/<form method="post" action="([^"]+)">/);
      if (!form) throw new Error(`${to} shows ${answer.status}: ${text}`);
      this.pages.push(new URL(to).pathname);
      const body = new URLSearchParams();
      for (const [, name, value] of text.matchAll(/<input name="([^"]+)" value="([^"]*)">/g)) body.set(name, value.replaceAll("&amp;", "&"));
      request = [new URL(form[1], to).href, { method: "POST", body }];
    }
    throw new Error("the browser is sent around in circles");
  }
}
