"""What can go wrong by the user's hand or by a chapter's, each told in one line with its remedy."""


class UserError(Exception):
    """Bad input: names the thing and the remedy; the command line exits with status 2.

    Parameters
    ----------
    what
        What is wrong, naming the thing ("no chapter '99_nothing'").
    remedy
        What to do about it ("run 'quire chapters' to see them").
    """

    exit_status = 2

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return " ".join(f"{self.what}: {self.remedy}".split())


class ChapterFailed(UserError):
    """A chapter that started did not reach its end; the command line exits with status 1.

    Attributes
    ----------
    traceback
        The kernel's own traceback, empty when no cell raised.
    """

    exit_status = 1

    def __init__(self, what: str, remedy: str, traceback: str = "") -> None:
        super().__init__(what, remedy)
        self.traceback = traceback
