"""How output is compared."""
import unittest

from matching import begins, difference, lines_of, matches


class Matching(unittest.TestCase):
    def test_text_is_literal(self):
        self.assertTrue(matches(["[a-z].* (1)"], ["[a-z].* (1)"]))
        self.assertFalse(matches(["."], ["x"]))
        self.assertFalse(matches(["a"], ["a", "b"]))
        self.assertFalse(matches(["a", "b"], ["a"]))

    def test_an_ellipsis_is_anything_within_its_line(self):
        self.assertTrue(matches(['["…-0"]'], ['["1526919030474-0"]']))
        self.assertTrue(matches(["a…b…c"], ["abc"]))
        self.assertFalse(matches(["a…c"], ["a", "c"]))

    def test_an_ellipsis_alone_is_any_number_of_lines(self):
        for lines in (["a", "z"], ["a", "b", "z"], ["a", "z", "z"]):
            self.assertTrue(matches(["a", "…", "z"], lines))
        self.assertTrue(matches(["…"], []))
        self.assertFalse(matches(["…", "z"], ["a"]))

    def test_the_beginning_is_enough_for_what_goes_on(self):
        self.assertTrue(begins(["a", "b"], ["a", "b", "c"]))
        self.assertFalse(begins(["a", "b"], ["a"]))
        self.assertFalse(begins(["a"], []))

    def test_space_at_the_end_does_not_count(self):
        self.assertEqual(lines_of(b"HTTP/1.1 200 OK\r\na \n\n"), ["HTTP/1.1 200 OK", "a"])
        self.assertTrue(matches(["a ", ""], ["a"]))

    def test_colours_and_links_of_a_terminal_are_left_out(self):
        self.assertEqual(lines_of(b"\x1b[1mdate\x1b[0m: now \x1b]8;;http://a\x1b\\here\x1b]8;;\x07"), ["date: now here"])

    def test_bytes_that_are_no_text_are_shown(self):
        self.assertEqual(lines_of(b"a\xff\n"), ["a\\xff"])

    def test_a_difference_leaves_out_what_matches(self):
        shown = difference(["id …-0", "b", "c", "…", "y", "…"], ["id 17-0", "x", "c", "1", "2", "y", "3"])
        self.assertEqual([line for line in shown if line[0] in "+-"], ["--- expected", "+++ output", "-b", "+x"])


if __name__ == "__main__":
    unittest.main()
