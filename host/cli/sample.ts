/** What `--seed` puts into the database, for hooks that read content. */
import type { SeedFile } from "emdash/seed";

export const SAMPLE: SeedFile = {
  version: "1",
  collections: [
    {
      slug: "posts",
      label: "Posts",
      labelSingular: "Post",
      fields: [
        { slug: "title", label: "Title", type: "string", required: true },
        { slug: "excerpt", label: "Excerpt", type: "text" },
      ],
    },
  ],
  content: {
    posts: [
      post("first-post", "published", "The first post", "It is published."),
      post("second-post", "published", "The second post", "It is published, too."),
      post("a-draft", "draft", "A draft", "Nobody has seen it yet."),
    ],
  },
};

function post(slug: string, status: "published" | "draft", title: string, excerpt: string) {
  return { id: slug, slug, status, data: { title, excerpt } };
}
