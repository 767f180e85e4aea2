// The two browsers, without anything they would fetch of their own accord.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import puppeteer from "puppeteer-core";

const first = (what, paths) => {
  const path = paths.find((path) => path && existsSync(path));
  if (!path) throw new Error(`${what} is missing: run wasm/tests/runtimes/setup`);
  return path;
};

const chromiumPath = () =>
  first("Chromium", [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome"]);

const CHROMIUM_ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const launchChromium = () => chromium.launch({ executablePath: chromiumPath(), args: CHROMIUM_ARGS });

/** Chromium with the profile in the folder `profile`, in a group of processes of its own, all of which `kill` kills. */
export async function launchChromiumToKill(profile) {
  const child = spawn(
    chromiumPath(),
    [
      ...CHROMIUM_ARGS,
      "--headless",
      "--disable-dev-shm-usage",
      // These would be out of the group.
      "--disable-breakpad",
      "--password-store=basic",
      "--remote-debugging-port=0",
      `--user-data-dir=${profile}`,
      "about:blank",
    ],
    { detached: true, stdio: ["ignore", "ignore", "pipe"] },
  );
  const exited = once(child, "exit");
  const kill = async () => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid, "SIGKILL");
    await exited;
  };
  let said = "";
  try {
    for await (const line of createInterface({ input: child.stderr })) {
      said += `${line}\n`;
      const address = /^DevTools listening on (ws:.*)$/.exec(line)?.[1];
      if (!address) continue;
      child.stderr.resume();
      const browser = await chromium.connectOverCDP(address);
      return { context: browser.contexts()[0], kill };
    }
    throw new Error(`Chromium did not start:\n${said}`);
  } catch (error) {
    await kill();
    throw error;
  }
}

export const launchFirefox = () =>
  puppeteer.launch({
    browser: "firefox",
    protocol: "webDriverBiDi",
    executablePath: first("Firefox", [process.env.FIREFOX, "/usr/bin/firefox-esr", "/usr/bin/firefox"]),
    headless: true,
  });
