// Choose values, send them, and see the lines and what becomes of them.

import { Sender, eventToLine, histogramToLine, metricToLine, spanToLine } from "wavefront-sdk";

const find = <T extends Element>(selector: string): T => {
  const found = document.querySelector<T>(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return found;
};

const connection = find<HTMLFormElement>("#connection");
const datum = find<HTMLFormElement>("#datum");
const line = find<HTMLPreElement>("#line");
const ledger = find<HTMLTableSectionElement>("#ledger");
const problem = find<HTMLOutputElement>("#problem");
const said = find<HTMLParagraphElement>("#said");

const field = (form: HTMLFormElement, name: string): string => String(new FormData(form).get(name) ?? "").trim();
const complain = (error: unknown): void => {
  problem.value = error instanceof Error ? error.message : String(error);
};

let sender = connect();

function connect(): Sender {
  return new Sender({
    server: field(connection, "server"),
    source: field(connection, "source"),
    flushIntervalMs: 2000,
    onError: complain,
  });
}

/** What the form says. */
function chosen() {
  const [key = "", value = ""] = field(datum, "tag").split("=", 2);
  const now = Date.now();
  return {
    kind: field(datum, "kind"),
    name: field(datum, "name"),
    // An empty field is no number, and not 0.
    value: datum.querySelector<HTMLInputElement>("[name=value]")?.valueAsNumber ?? NaN,
    times: Math.max(1, Math.trunc(Number(field(datum, "times")) || 1)),
    tags: key ? { [key]: value } : {},
    now,
  };
}

function span({ name, value, tags, now }: ReturnType<typeof chosen>) {
  return {
    name,
    startMillis: now - Math.max(0, Math.round(value)),
    durationMillis: Math.max(0, Math.round(value)),
    traceId: crypto.randomUUID(),
    spanId: crypto.randomUUID(),
    tags: { application: "shop", service: "page", ...tags },
  };
}

function event({ name, tags, now }: ReturnType<typeof chosen>) {
  return { name, startMillis: now, endMillis: now + 1, annotations: { severity: "info", type: "example", ...tags } };
}

/** Shows the line of what the form says, or what is wrong with it. */
function preview(): void {
  const what = chosen();
  const defaultSource = field(connection, "source");
  try {
    problem.value = "";
    switch (what.kind) {
      case "histogram":
        line.textContent = histogramToLine(what.name, [[what.value, 1]], { tags: what.tags, defaultSource });
        break;
      case "span":
        line.textContent = spanToLine(span(what), { defaultSource });
        break;
      case "event":
        line.textContent = eventToLine(event(what), { defaultSource });
        break;
      default: {
        const name = what.kind === "delta" ? `∆${what.name}` : what.name;
        line.textContent = metricToLine(name, what.value, { tags: what.tags, defaultSource });
      }
    }
  } catch (error) {
    line.textContent = "";
    complain(error);
  }
}

function send(): void {
  const what = chosen();
  const { tags } = what;
  try {
    for (let i = 0; i < what.times; i++) {
      if (what.kind === "metric") sender.sendMetric(what.name, what.value + i, { tags });
      else if (what.kind === "delta") sender.sendDeltaCounter(what.name, what.value, { tags });
      else if (what.kind === "histogram") sender.sendDistribution(what.name, [[what.value, 1]], { tags });
      else if (what.kind === "span") sender.sendSpan(span(what));
      else sender.sendEvent(event(what));
    }
  } catch (error) {
    complain(error);
  }
  show();
}

const NAMES = {
  metric: "Metric",
  delta: "Delta",
  histogram: "Histogram",
  span: "Span",
  event: "Event",
  total: "Total",
} as const;

function show(): void {
  const stats = sender.stats();
  const rows = Object.entries(NAMES).map(([kind, name]) => {
    const row = stats[kind as keyof typeof NAMES];
    const lost = Object.values(row.dropped).reduce((sum, lines) => sum + lines, row.doubtful);
    const counts = [row.accepted, row.queued, row.inFlight, row.stored, row.delivered, lost, row.invalid];
    const tr = document.createElement("tr");
    for (const [at, text] of [name, ...counts.map((count) => count.toLocaleString("en"))].entries()) {
      const td = tr.insertCell();
      td.textContent = text;
      if (at >= 6 && text !== "0") td.className = "lost";
    }
    return tr;
  });
  ledger.replaceChildren(...rows);
}

connection.addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  const before = sender;
  try {
    sender = connect();
    preview();
    await before.close();
  } catch (error) {
    complain(error);
  }
  show();
});
datum.addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  preview();
  send();
});
datum.addEventListener("input", preview);
find<HTMLButtonElement>("#flush").addEventListener("click", async () => {
  const before = Date.now();
  const { left, lost } = await sender.flush({ timeoutMs: 5000 });
  said.textContent =
    left + lost === 0
      ? `Flushed in ${Date.now() - before} ms: everything is delivered.`
      : `Flushed: ${left} lines wait, ${lost} were lost.`;
  show();
});

preview();
show();
setInterval(show, 500);
