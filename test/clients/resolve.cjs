// Preloaded into Node: the house's service names (wss.localhost, mqtts-up.localhost)
// stand for the loopback address, as they would in an operator's DNS.
const dns = require("node:dns");
const lookup = dns.lookup;
dns.lookup = function (name, options, done) {
  if (!name.endsWith(".localhost")) return lookup.call(dns, name, options, done);
  if (typeof options === "function") done = options;
  const all = typeof options === "object" && options.all;
  process.nextTick(() => (all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4)));
};
