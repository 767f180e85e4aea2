// A shop at the edge: every request is counted and timed by itself, a cron event sends a gauge, and a Durable Object
// keeps a meter that reports itself by alarms.

import { DurableObject } from "cloudflare:workers";
import { Sender, withWavefront, type SenderOptions } from "wavefront-sdk/cloudflare";

interface Env {
  WAVEFRONT_SERVER: string;
  /** A secret; none for a proxy, as in `http://proxy.example.com:2878` or `tcp://proxy.example.com:2878`. */
  WAVEFRONT_TOKEN?: string;
  METER: DurableObjectNamespace<Meter>;
}

const options = (env: Env): SenderOptions => ({
  server: env.WAVEFRONT_SERVER,
  token: env.WAVEFRONT_TOKEN,
  source: "edge",
  tags: { application: "shop", service: "front" },
});

const handler = {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/order") {
      const orders = await env.METER.getByName("orders").add(1);
      return Response.json({ orders });
    }
    return new Response("POST /order\n");
  },

  async scheduled(event, env, ctx) {
    const sender = new Sender(options(env));
    sender.sendMetric("shop.cron.delay", Date.now() - event.scheduledTime, { tags: { cron: event.cron } });
    ctx.waitUntil(sender.close());
  },
} satisfies ExportedHandler<Env>;

// Count, latency and a span of each request; they are sent after its answer, in `waitUntil`.
export default withWavefront(handler, options);

/** Counts in one place for the whole world, and reports every ten seconds while there is something to report. */
export class Meter extends DurableObject<Env> {
  #count = 0;

  async add(count: number): Promise<number> {
    this.#count += count;
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(Date.now() + 10_000);
    return this.#count;
  }

  override async alarm(): Promise<void> {
    const sender = new Sender(options(this.env));
    sender.sendMetric("shop.orders", this.#count);
    await sender.close();
  }
}
