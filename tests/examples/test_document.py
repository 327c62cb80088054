"""How a document is read."""
import unittest
from textwrap import dedent

from document import DocumentError, Stop, parse


def read(text):
    return parse(dedent(text))


class Reading(unittest.TestCase):
    def test_blocks_of_a_shell_and_of_python_are_examples_and_no_others(self):
        steps = read("""\
            ```
            ./scripts/run.sh
            ```
            ```sh
            echo one
            ```
            ```json
            {}
            ```
            ~~~bash
            echo two
            ~~~
            ```python
            print("three")
            ```
            """)
        self.assertEqual(
            [(step.line, step.language, step.text) for step in steps],
            [(4, "sh", "echo one\n"), (10, "bash", "echo two\n"), (13, "python", 'print("three")\n')],
        )

    def test_the_text_block_that_follows_is_the_output(self):
        for between in ("", "\n\n", "\nIt prints\n\n"):
            (step,) = parse(f"```sh\necho a\n```\n{between}```text\na\n\nb\n```\n")
            self.assertEqual(step.expected, ["a", "", "b"])

    def test_an_empty_text_block_is_an_output_too(self):
        (step,) = parse("```sh\ntrue\n```\n```text\n```\n")
        self.assertEqual(step.expected, [])

    def test_a_text_block_further_away_is_none(self):
        for between in ("one line\nand another\n", "## A heading\n", "```json\n1\n```\n"):
            (step,) = parse(f"```sh\necho a\n```\n{between}```text\na\n```\n")
            self.assertIsNone(step.expected)

    def test_a_block_in_a_list_loses_its_indentation(self):
        (step,) = parse("1. First\n\n   ```sh\n   if true; then\n     echo a\n   fi\n   ```\n")
        self.assertEqual(step.text, "if true; then\n  echo a\nfi\n")

    def test_a_longer_fence_shows_a_shorter_one_without_executing_it(self):
        self.assertEqual(parse("````markdown\n<!-- run: fails -->\n```sh\necho a\n```\n````\n"), [])

    def test_comments_of_one_block_add_up(self):
        (step,) = read("""\
            <!-- run: with a.jpg b/c.json -->
            <!-- run: background camera -->

            ```sh
            push
            ```
            """)
        self.assertEqual((step.files, step.ending, step.name), (["a.jpg", "b/c.json"], "background", "camera"))

    def test_a_stop_stands_alone_and_may_have_the_output(self):
        example, stop = read("""\
            <!-- run: background camera -->
            ```sh
            push
            ```
            Ctrl-C ends it.

            <!-- run: stop camera -->
            The first shell has printed
            ```text
            a
            ```
            """)
        self.assertIsNone(example.expected)
        self.assertEqual(stop, Stop(7, "camera", ["a"]))

    def test_a_skipped_example_has_a_reason(self):
        (step,) = parse("<!-- run: skip: takes three minutes -->\n```sh\nbench\n```\n")
        self.assertEqual(step.skipped, "takes three minutes")

    def test_what_cannot_be_meant_is_refused_with_its_line(self):
        block = "```sh\ntrue\n```\n"
        for text, error in {
            "```sh\ntrue\n": "line 1: this block is not closed",
            "\n<!-- run: backround a -->\n" + block: "line 2: unknown word backround; there are",
            "<!-- run: until-output\n-->\n" + block: "line 1: a comment for the runner is a line of its own",
            "<!-- run: until-output -->\n" + block: "line 2: until-output needs a ```text block",
            "<!-- run: until-output soon -->\n" + block: "line 1: until-output takes nothing more",
            "<!-- run: background -->\n" + block: "line 1: background takes one name",
            "<!-- run: skip: -->\n" + block: "line 1: for which reason?",
            "<!-- run: with -->\n" + block: "line 1: which files?",
            "<!-- run: with a.jpg b.gif -->\n" + block: "line 1: b.gif cannot be made; .json .txt",
            "<!-- run: fails -->\nprose\n" + block: "line 1: this comment is not followed by a block that is executed",
            "<!-- run: fails -->\n```json\n1\n```\n" + block: "line 1: this comment is not followed by",
            block + "<!-- run: fails -->\n": "line 4: this comment is not followed by",
            "<!-- run: fails -->\n<!-- run: eventually -->\n" + block: "line 2: a block cannot be both fails and eventually",
            "<!-- run: stop a -->\n": "line 1: no example named a runs here",
            ("<!-- run: background a -->\n" + block) * 2: "line 6: an example named a runs already",
            "<!-- run: background a -->\n" + block + "```text\n```\n<!-- run: stop a -->\n```text\n```\n": (
                "line 7: line 2 has an output of a already"
            ),
        }.items():
            with self.subTest(text), self.assertRaises(DocumentError) as raised:
                parse(text)
            self.assertIn(error, str(raised.exception))


if __name__ == "__main__":
    unittest.main()
