"""A preprocessor of mdBook: links that lead out of the book go to the repository, or become plain text.

mdBook runs it with the book as JSON on standard input and reads the book from standard output.
"""

import json
import posixpath
import re
import sys

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#:\s]+)(#[^)\s]*)?\)")


def rewrite(content, path, url):
    folder = posixpath.dirname(path)

    def target(link):
        words, file, anchor = link.group(1), link.group(2), link.group(3) or ""
        place = posixpath.normpath(posixpath.join("docs", folder, file))
        if place.startswith("docs/"):
            return link.group(0)
        return f"[{words}]({url}{place}{anchor})" if url else words

    # Fenced blocks and code in sentences hold no links.
    parts = re.split(r"(^```.*?^```|`[^`\n]*`)", content, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if at % 2 else LINK.sub(target, part) for at, part in enumerate(parts))


def walk(items, url):
    for item in items:
        chapter = item.get("Chapter") if isinstance(item, dict) else None
        if chapter:
            if chapter.get("path"):
                chapter["content"] = rewrite(chapter["content"], chapter["path"], url)
            walk(chapter["sub_items"], url)


def main():
    if sys.argv[1:2] == ["supports"]:
        return
    context, book = json.load(sys.stdin)
    url = context["config"]["preprocessor"]["repository-links"].get("url", "")
    walk(book.get("items") or book.get("sections") or [], url)
    json.dump(book, sys.stdout)


main()
