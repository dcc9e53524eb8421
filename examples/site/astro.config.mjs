import node from "@astrojs/node";
import react from "@astrojs/react";
import auditLog from "@emdash-cms/plugin-audit-log";
import { webhookNotifierPlugin } from "@emdash-cms/plugin-webhook-notifier";
import { defineConfig, fontProviders, sessionDrivers } from "astro/config";
import emdash, { local } from "emdash/astro";
import { libsql } from "emdash/db";
import { about, hostile } from "./plugins/index.mjs";

const notoSans = "@fontsource-variable/noto-sans/files/noto-sans-latin-wght-normal.woff2";

// Database and media lie in the folder that the server is started in.
export default defineConfig({
  output: "server",
  adapter: node({ mode: "standalone" }),
  i18n: { defaultLocale: "en", locales: ["en", "de"] },
  integrations: [
    react(),
    emdash({
      database: libsql({ url: "file:./site.db" }),
      storage: local({ directory: "./uploads", baseUrl: "/_emdash/api/media/file" }),
      sandboxRunner: "emdash-sandbox-native/sandbox",
      sandboxed: [auditLog, webhookNotifierPlugin(), about, hostile],
      fonts: false,
    }),
  ],
  // The admin's font would come from Google at build time, and this builds without a network.
  fonts: [
    {
      provider: fontProviders.local(),
      name: "Noto Sans",
      cssVariable: "--font-emdash",
      fallbacks: ["system-ui", "sans-serif"],
      options: { variants: [{ weight: "100 900", style: "normal", src: [notoSans] }] },
    },
  ],
  // A session ends with the server: nothing is left of it.
  session: { driver: sessionDrivers.memory() },
});
