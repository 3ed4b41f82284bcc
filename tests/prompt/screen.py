"""A model of a terminal: what stands on the screen after the bytes a program wrote.

Knows the sequences that Weft sends and those that common programs do; anything else is kept in
`unknown`, so that a test can demand that there was none.
"""
import unicodedata


def width(ch):
    """Columns of a character."""
    if unicodedata.combining(ch) or unicodedata.category(ch) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(ch) in "WF" else 1


class Cell:
    """A place on the screen. An empty text is the right half of a wide character."""

    def __init__(self, text=" ", style=frozenset()):
        self.text = text
        self.style = style


class Screen:
    def __init__(self, rows=24, columns=80):
        self.rows, self.columns = rows, columns
        self.cells = [self._blank() for _ in range(rows)]
        self.scrolled = []  # rows that left at the top, as text
        self.row = self.column = 0
        self.pending_wrap = False
        self.style = frozenset()
        self.modes = set()
        self.unknown = []
        self._state = "text"
        self._parameters = ""
        self._bytes = b""

    def _blank(self):
        return [Cell() for _ in range(self.columns)]

    # --- what a test asks

    def line(self, row):
        return "".join(cell.text for cell in self.cells[row]).rstrip()

    def lines(self):
        lines = [self.line(row) for row in range(self.rows)]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def text(self):
        return "\n".join(self.lines())

    def everything(self):
        """With what has scrolled away."""
        return "\n".join(self.scrolled + self.lines())

    def cursor_line(self):
        return self.line(self.row)

    def before_cursor(self):
        return "".join(cell.text for cell in self.cells[self.row][: self.column])

    def style_of(self, text, row=None):
        """The style of a text's first character where it occurs last."""
        for number in reversed(range(self.rows) if row is None else [row]):
            line = "".join(cell.text or "\0" for cell in self.cells[number])
            place = line.rfind(text)
            if place >= 0:
                return self.cells[number][place].style
        return None

    # --- what the program sends

    def feed(self, data):
        self._bytes += data
        while self._bytes:
            for size in range(1, 5):
                try:
                    text = self._bytes[:size].decode("utf-8")
                except UnicodeDecodeError:
                    if size < 4 and len(self._bytes) > size:
                        continue
                    if len(self._bytes) <= size and len(self._bytes) < 4:
                        return
                    text = "\ufffd"
                self._bytes = self._bytes[size:]
                self._take(text)
                break

    def _take(self, ch):
        if self._state == "text":
            self._plain(ch)
        elif self._state == "escape":
            if ch == "[":
                self._state, self._parameters = "csi", ""
            elif ch == "]":
                self._state = "osc"
            else:
                self.unknown.append("ESC " + ch)
                self._state = "text"
        elif self._state == "csi":
            if "@" <= ch <= "~":
                self._state = "text"
                self._csi(ch)
            else:
                self._parameters += ch
        elif self._state == "osc" and ch in "\x07\x1b":
            self._state = "text"

    def _plain(self, ch):
        if ch == "\x1b":
            self._state = "escape"
        elif ch == "\n":
            self._line_feed()
        elif ch == "\r":
            self.column, self.pending_wrap = 0, False
        elif ch == "\b":
            self.column, self.pending_wrap = max(0, self.column - 1), False
        elif ch == "\t":
            self.column = min(self.columns - 1, self.column // 8 * 8 + 8)
        elif ch == "\x07":
            pass
        elif ch < " ":
            self.unknown.append(repr(ch))
        else:
            self._put(ch)

    def _line_feed(self):
        self.pending_wrap = False
        if self.row < self.rows - 1:
            self.row += 1
            return
        self.scrolled.append(self.line(0))
        self.cells.pop(0)
        self.cells.append(self._blank())

    def _put(self, ch):
        size = width(ch)
        joined = self.column > 0 and self.cells[self.row][self.column - 1].text.endswith("\u200d")
        if size == 0 or joined:
            place = self.column - (0 if self.pending_wrap else 1)
            while place > 0 and self.cells[self.row][place].text == "":
                place -= 1
            if place >= 0:
                self.cells[self.row][place].text += ch
            return
        if self.pending_wrap or self.column + size > self.columns:
            self.column = 0
            self._line_feed()
        self.cells[self.row][self.column] = Cell(ch, self.style)
        if size == 2:
            self.cells[self.row][self.column + 1] = Cell("", self.style)
        self.column += size
        if self.column == self.columns:
            self.column -= 1
            self.pending_wrap = True

    def _erase(self, row, start, end):
        for column in range(start, end):
            self.cells[row][column] = Cell()

    def _csi(self, final):
        if self._parameters.startswith("?"):
            for number in self._parameters[1:].split(";"):
                (self.modes.add if final == "h" else self.modes.discard)(int(number))
            return
        numbers = [int(part) if part.isdigit() else 0 for part in self._parameters.split(";")]
        n = max(1, numbers[0])
        if final != "m":
            self.pending_wrap = False
        if final == "A":
            self.row = max(0, self.row - n)
        elif final == "B":
            self.row = min(self.rows - 1, self.row + n)
        elif final == "C":
            self.column = min(self.columns - 1, self.column + n)
        elif final == "D":
            self.column = max(0, self.column - n)
        elif final == "G":
            self.column = min(self.columns, n) - 1
        elif final == "H":
            column = numbers[1] if len(numbers) > 1 else 1
            self.row = min(self.rows, n) - 1
            self.column = min(self.columns, max(1, column)) - 1
        elif final == "K":
            starts = {0: (self.column, self.columns), 1: (0, self.column + 1), 2: (0, self.columns)}
            self._erase(self.row, *starts[numbers[0]])
        elif final == "J":
            if numbers[0] == 0:
                self._erase(self.row, self.column, self.columns)
                for row in range(self.row + 1, self.rows):
                    self.cells[row] = self._blank()
            else:
                self.cells = [self._blank() for _ in range(self.rows)]
        elif final == "m":
            for number in numbers:
                self.style = frozenset() if number == 0 else self.style | {number}
        else:
            self.unknown.append("CSI %s%s" % (self._parameters, final))

    def resize(self, rows, columns):
        """As xterm does: lines are cut or grow; nothing is broken anew."""
        for line in self.cells:
            del line[columns:]
            line.extend(Cell() for _ in range(columns - len(line)))
        while len(self.cells) > rows:
            if self.row < len(self.cells) - 1:
                self.cells.pop()
            else:
                self.scrolled.append("".join(cell.text for cell in self.cells.pop(0)).rstrip())
                self.row -= 1
        self.rows, self.columns = rows, columns
        while len(self.cells) < rows:
            self.cells.append(self._blank())
        self.column = min(self.column, columns - 1)
        self.pending_wrap = False
