"""How examples are executed. None of these needs a store."""
import os
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

import program
import session
from document import parse
from session import Session
from store import Addresses

ADDRESSES = Addresses("127.0.0.1:1234", "127.0.0.1:5678")


def sh(script, comment=""):
    """A shell block, and the comment before it."""
    return (f"<!-- run: {comment} -->\n" if comment else "") + f"```sh\n{script}\n```\n"


def python(script):
    return f"```python\n{script}\n```\n"


def text(*lines):
    return "\n".join(["```text", *lines, "```", ""])


def is_running(pid):
    try:
        return "(sleep) Z" not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


class Running(unittest.TestCase):
    def set(self, module, name, value):
        patch = mock.patch.object(module, name, value)
        patch.start()
        self.addCleanup(patch.stop)

    def setUp(self):
        # There is no store to notice anything, and there are shells with several commands.
        self.set(session, "NOTICE_SECONDS", 0.1)
        self.set(program, "AGAIN_SECONDS", 0.2)

    def results(self, *parts):
        with tempfile.TemporaryDirectory() as folder:
            running = Session("test.md", Path(folder), dict(os.environ), ADDRESSES)
            return list(running.run(parse("".join(parts))))

    def assert_passes(self, *parts):
        for result in self.results(*parts):
            self.assertEqual(result.failure, "", result)

    def assert_fails(self, failure, *parts):
        """Returns the result that has this failure."""
        results = self.results(*parts)
        found = [result for result in results if failure in result.failure]
        self.assertTrue(found, results)
        return found[0]


class Shells(Running):
    def test_variables_functions_and_the_folder_live_on(self):
        self.assert_passes(
            sh("A=1; export B='x  \"y\"'; LIST=(1 '2 3')\nf() { echo f $1; }\nmkdir d; cd d"),
            sh('echo $A "$B" ${LIST[1]}; f 2; basename $PWD; sh -c \'echo "$B"\''),
            text('1 x  "y" 2 3', "f 2", "d", 'x  "y"'),
        )

    def test_a_failed_example_leaves_its_variables_too(self):
        first, second = self.results(sh("A=1\nfalse\nA=2"), sh("echo $A"), text("1"))
        self.assertEqual((first.failure, second.failure), ("it ended with 1", ""))

    def test_the_first_command_that_fails_is_named_with_its_line_of_the_document(self):
        result = self.assert_fails("it ended with 3", "Some\n\nprose.\n", sh("true\n(exit 3); echo went on"))
        self.assertEqual((result.errors, result.output), ("test.md: line 6: ended with 3\n", []))

    def test_what_is_asked_may_fail(self):
        self.assert_passes(sh("if false; then :; fi; false || true; ! true || true"))

    def test_a_pipeline_fails_with_any_of_its_parts(self):
        self.assert_fails("it ended with 1", sh("false | cat"))
        self.assert_fails("it ended with 1", sh("A=$(false | cat)"))

    def test_a_reader_that_has_seen_enough_fails_nothing(self):
        self.assert_passes(sh("yes | head -n 1"), text("y"))

    def test_input_and_output_are_a_terminal(self):
        self.assert_passes(sh("test -t 0 && test -t 1"))

    def test_an_example_that_should_fail_must(self):
        self.assert_passes(sh("echo no; exit 2", "fails"), text("no"))
        self.assert_fails("it should have failed", sh("true", "fails"))

    def test_files_are_made_before(self):
        self.assert_passes(
            sh("cat a/b.json lines.txt", "with a/b.json lines.txt"), text('{"temperature": 21.5}', "one", "two", "three")
        )


class Python(Running):
    def test_python_has_the_environment_and_the_folder(self):
        self.assert_passes(
            sh("export A=1; mkdir d; cd d"),
            python("import os, pathlib\nprint(os.environ['A'], pathlib.Path.cwd().name)"),
            text("1 d"),
        )

    def test_a_failure_names_the_line_of_the_document(self):
        result = self.assert_fails("it ended with 1", "Prose.\n", python("import sys\nsys.nothing"))
        self.assertIn('test.md.py", line 4', result.errors)


class Output(Running):
    def test_it_is_compared(self):
        self.assert_passes(sh("printf 'a\n\nb'; echo error >&2"), text("a", "", "b"))
        result = self.assert_fails("the output is another", sh("echo a; echo error >&2"), text("b"))
        self.assertEqual((result.output, result.expected, result.errors), (["a"], ["b"], "error\n"))

    def test_addresses_are_those_of_the_store_under_test(self):
        self.assert_passes(
            sh("echo http://127.0.0.1:7890/ -p 6789 redis://127.0.0.1:6789 16789-6789"),
            text("http://127.0.0.1:7890/ -p 6789 redis://127.0.0.1:6789 16789-6789"),
            sh("echo http://127.0.0.1:7890 | grep -c 1234"),
            text("1"),
        )

    def test_all_of_it_arrives_although_the_program_has_ended(self):
        self.assert_passes(sh("seq 20000"), text("1", "…", "20000"))

    def test_all_of_it_arrives_although_a_child_has_the_terminal_still(self):
        self.assert_passes(sh("sleep 1000 & seq 20000"), text("1", "…", "20000"))

    def test_more_than_the_limit_is_a_failure(self):
        self.assert_fails("it wrote more than", sh("yes"))
        self.assert_fails("it wrote more than", sh("head -c 2000000 /dev/zero"))


class Endings(Running):
    def test_what_hangs_fails(self):
        self.set(session, "EXAMPLE_SECONDS", 0.3)
        self.assert_fails("it was not done after", sh("sleep 1000"))
        self.assert_fails("it was not done after", sh("echo a; sleep 1000", "until-output"), text("b"))

    def test_what_is_looked_for_again_is_seen_in_the_end(self):
        self.assert_passes(sh("touch $(($(ls | wc -l) + 1)); ls", "eventually"), text("1  2  3"))
        self.set(session, "EXAMPLE_SECONDS", 0.3)
        self.assert_fails("it ended with 1", sh("false", "eventually"))

    def test_ctrl_c_ends_what_has_shown_its_output(self):
        self.assert_passes(sh("seq 3; sleep 1000", "until-output"), text("1", "2"))
        self.assert_passes(sh("seq 3 | (cat; sleep 1000)", "until-output"), text("1", "2", "3"))

    def test_what_ends_too_early_fails(self):
        self.assert_fails("it ended with 3", sh("echo a; exit 3", "until-output"), text("a", "b"))
        self.assert_fails("the output is another", sh("echo a", "until-output"), text("a", "b"))

    def test_what_survives_ctrl_c_fails(self):
        self.set(program, "STOP_SECONDS", 0.3)
        self.assert_fails("Ctrl-C did not end it", sh("trap '' INT; echo a; sleep 1000", "until-output"), text("a"))

    def test_one_in_the_background_runs_while_others_do(self):
        self.assert_passes(
            sh("until test -e go; do sleep 0.01; done; echo gone; sleep 1000", "background it"),
            text("gone"),
            sh("touch go"),
        )

    def test_it_is_stopped_where_the_document_says_so(self):
        self.assert_passes(
            sh("trap 'touch stopped; exit' INT; echo a; while :; do sleep 0.01; done", "background it"),
            sh("test ! -e stopped"),
            "<!-- run: stop it -->\nIt printed\n",
            text("a"),
            sh("test -e stopped"),
        )

    def test_its_output_is_compared(self):
        self.set(session, "EXAMPLE_SECONDS", 0.3)
        self.assert_fails("it was not done after", sh("echo a; sleep 1000", "background it"), text("b"))

    def test_one_in_the_background_that_fails_is_a_failure(self):
        self.assert_fails("it ended with 3", sh("exit 3", "background it"), sh("true"))

    def test_what_is_left_running_ends_with_the_document(self):
        with tempfile.TemporaryDirectory() as folder:
            pid = Path(folder, "pid")
            self.assert_passes(sh(f"sleep 1000 & echo $! > {pid}"))
            number = int(pid.read_text())
        deadline = time.monotonic() + 10
        while is_running(number) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertFalse(is_running(number))

    def test_a_skipped_example_is_not_executed(self):
        (result,) = self.results(sh("exit 1", "skip: no reason"))
        self.assertEqual((result.failure, result.example.skipped), ("", "no reason"))


if __name__ == "__main__":
    unittest.main()
