// The two browsers, without anything they would fetch of their own accord.

import { existsSync } from "node:fs";
import { chromium } from "playwright-core";
import puppeteer from "puppeteer-core";

const first = (what, paths) => {
  const path = paths.find((path) => path && existsSync(path));
  if (!path) throw new Error(`${what} is missing: run wasm/tests/runtimes/setup`);
  return path;
};

export const launchChromium = () =>
  chromium.launch({
    executablePath: first("Chromium", [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome"]),
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });

export const launchFirefox = () =>
  puppeteer.launch({
    browser: "firefox",
    protocol: "webDriverBiDi",
    executablePath: first("Firefox", [process.env.FIREFOX, "/usr/bin/firefox-esr", "/usr/bin/firefox"]),
    headless: true,
  });
