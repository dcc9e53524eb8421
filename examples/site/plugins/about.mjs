/** A plugin of the site's own: it says what a plugin is told about the site, on a page of the admin and in every page's head. */
export default {
  hooks: {
    "page:metadata": (_event, ctx) => ({
      kind: "meta",
      name: "plugin-about",
      content: `${ctx.site.name} ${ctx.url("/")} ${ctx.site.locale}`,
    }),
  },
  routes: {
    admin: (_request, ctx) => ({
      blocks: [
        { type: "header", text: "What a plugin is told" },
        {
          type: "fields",
          fields: [
            { label: "Name", value: ctx.site.name },
            { label: "URL", value: ctx.site.url },
            { label: "Locale", value: ctx.site.locale },
          ],
        },
      ],
    }),
    site: (_request, ctx) => ({ site: ctx.site, url: ctx.url("/a/path"), plugin: ctx.plugin }),
    // A post in a locale, or why there can be none.
    translate: async ({ input }, ctx) => {
      const { locale, title } = input;
      const post = await ctx.content.create("posts", { title, slug: title }, { locale });
      return { locale: post.locale };
    },
  },
};
