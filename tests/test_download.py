"""A file arrives whole and of one version, or one line says why not; what has come in is kept."""

import hashlib
import inspect
import re
import sys
from pathlib import Path

import pytest
from bad_server import Answer, serving
from helpers import one_line, tree

from derainbench.data.acquisition import download as module
from derainbench.data.acquisition.download import MirrorError, Patience, download
from derainbench.data.acquisition.drive_folders import drive_folder
from derainbench.foundation.errors import BenchError

QUICK = Patience(attempts=3, connect=5, read=10, longest_wait=0.01)
ONCE = Patience(attempts=1, connect=5, read=10, longest_wait=0.01)
IMPATIENT = Patience(attempts=2, connect=5, read=0.7, longest_wait=0.01)
# Neither half can be taken for the other, and no two places look alike.
OLD = b"".join(b"old %07d " % i for i in range(25_000))
NEW = b"".join(b"new %07d " % i for i in range(25_000))
CUT = 200_000  # of 300 000 bytes


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def failure(url: str, target: Path, patience: Patience = QUICK, **options) -> str:
    with pytest.raises(MirrorError) as failed:
        download(url, target, patience=patience, **options)
    return one_line(failed.value)


def content_of(folder: Path, name: str = "f.zip") -> bytes:
    """The file's bytes; nothing else may be left beside it."""
    assert tree(folder).keys() == {name}
    return (folder / name).read_bytes()


@pytest.mark.parametrize("length", ["known", "chunked", "unknown"])
def test_a_file_arrives_with_its_digest(server, tmp_path, length):
    url = server.gives("/f.zip", Answer(OLD, length=length))
    target = tmp_path / "new" / "f.zip"
    assert download(url, target, patience=QUICK) == digest(OLD)
    assert content_of(tmp_path / "new") == OLD
    assert len(server.asked) == 1


@pytest.mark.parametrize("length", ["known", "chunked"])
@pytest.mark.parametrize("ending", ["close", "reset"])
def test_a_transfer_that_breaks_off_goes_on_where_it_was(server, tmp_path, ending, length):
    cut = Answer(OLD, stop=CUT, ending=ending, length=length)
    url = server.gives("/f.zip", cut, Answer(OLD))
    assert download(url, tmp_path / "f.zip", patience=QUICK) == digest(OLD)
    assert content_of(tmp_path) == OLD
    first, second = server.asked
    assert first.start is None
    assert 0 < second.start <= CUT
    assert second.headers["if-range"] == '"1"'
    assert second.sent == len(OLD) - second.start  # what had come in is not sent again


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(server, tmp_path):
    url = server.gives("/f.zip", Answer(OLD, stop=CUT))
    message = failure(url, tmp_path / "f.zip", ONCE)
    assert message == (
        f"{url}: the transfer broke off after 1 try (the connection was lost); run again to resume"
    )
    assert not (tmp_path / "f.zip").exists()
    server.gives("/f.zip", OLD)
    assert download(url, tmp_path / "f.zip", patience=ONCE) == digest(OLD)
    assert content_of(tmp_path) == OLD
    assert server.starts() == [None, CUT]


def test_an_interrupted_transfer_is_kept_and_goes_on(server, tmp_path, monkeypatch):
    url = server.gives("/f.zip", OLD)

    def interrupt(self, done, total):
        if done > CUT:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module.TransferReporter, "update", interrupt)
        download(url, tmp_path / "f.zip", patience=QUICK)
    assert not (tmp_path / "f.zip").exists()
    assert download(url, tmp_path / "f.zip", patience=QUICK) == digest(OLD)
    assert content_of(tmp_path) == OLD
    assert server.starts()[1] > CUT


def test_a_file_that_had_come_in_whole_is_not_asked_for_again(server, tmp_path, monkeypatch):
    url = server.gives("/f.zip", OLD)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "_digest", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
        download(url, tmp_path / "f.zip", patience=QUICK)
    assert download(url, tmp_path / "f.zip", patience=QUICK) == digest(OLD)
    assert content_of(tmp_path) == OLD
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "second",
    [
        Answer(OLD, ranges=False),
        Answer(OLD, 416, ranges=False),
        Answer(OLD[CUT - 1 :], 206, {"Content-Range": f"bytes {CUT - 1}-299999/300000"}),
        Answer(OLD[:CUT], 206, {"Content-Range": f"bytes 0-{CUT - 1}/300000"}),
        Answer(OLD[CUT:-1], 206, {"Content-Range": f"bytes {CUT}-299998/299999"}),
        Answer(OLD[CUT:], 206),
    ],
    ids=["all of it", "refuses", "from elsewhere", "from the start", "shorter file", "says not"],
)
def test_a_server_that_does_not_go_on_makes_us_start_over(server, tmp_path, second):
    url = server.gives("/f.zip", Answer(OLD, stop=CUT), second, Answer(OLD, ranges=False))
    assert download(url, tmp_path / "f.zip", patience=QUICK) == digest(OLD)
    assert content_of(tmp_path) == OLD
    assert server.starts()[1] == CUT


def test_a_server_that_cannot_tell_versions_apart_is_asked_for_all_again(server, tmp_path):
    url = server.gives("/f.zip", Answer(OLD, stop=CUT, tag=None), Answer(NEW, tag=None))
    assert download(url, tmp_path / "f.zip", patience=QUICK) == digest(NEW)
    assert server.starts() == [None, None]


def dated(content: bytes, day: int, tag: str | None = None, **options) -> Answer:
    when = {"Last-Modified": f"Mon, {day:02d} Jan 2024 00:00:00 GMT"}
    return Answer(content, headers=when, tag=tag, **options)


@pytest.mark.parametrize("calls", ["one call", "two calls"])
@pytest.mark.parametrize("heeds", [True, False], ids=["If-Range heeded", "If-Range ignored"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (Answer(OLD, stop=CUT, tag='"1"'), Answer(NEW, tag='"2"')),
        (dated(OLD, 1, stop=CUT), dated(NEW, 8)),
        (dated(OLD, 1, tag='W/"1"', stop=CUT), dated(NEW, 8, tag='W/"2"')),
    ],
    ids=["tag", "date", "weak tag"],
)
def test_two_versions_are_never_joined(server, tmp_path, calls, heeds, old, new):
    new = Answer(**{**vars(new), "heeds_if_range": heeds})
    url = server.gives("/f.zip", old, new)
    if calls == "two calls":
        failure(url, tmp_path / "f.zip", ONCE)
    assert download(url, tmp_path / "f.zip", patience=QUICK) == digest(NEW)
    assert content_of(tmp_path) == NEW


def test_part_of_another_address_is_not_gone_on_with(server, tmp_path):
    failure(server.gives("/old/f.zip", Answer(OLD, stop=CUT)), tmp_path / "f.zip", ONCE)
    url = server.gives("/new/f.zip", NEW)  # of the same tag
    assert download(url, tmp_path / "f.zip", patience=QUICK) == digest(NEW)
    assert server.starts("/new") == [None]


def test_a_damaged_note_means_starting_over(server, tmp_path):
    url = server.gives("/f.zip", Answer(OLD, stop=CUT), OLD)
    failure(url, tmp_path / "f.zip", ONCE)
    note = tmp_path / ".f.zip.part.json"
    note.write_text(note.read_text()[:20])
    assert download(url, tmp_path / "f.zip", patience=QUICK) == digest(OLD)
    assert server.starts() == [None, None]


def test_a_wrong_checksum_deletes_the_file(server, tmp_path):
    url = server.gives("/f.zip", NEW)
    message = failure(url, tmp_path / "f.zip", sha256=digest(OLD))
    assert message.startswith(f"{url}: wrong checksum: sha256 {digest(NEW)[:16]}… instead of ")
    assert "deleted" in message
    assert tree(tmp_path) == {}
    assert len(server.asked) == 1


def test_a_file_that_is_there_is_only_checked(server, tmp_path):
    url = server.gives("/f.zip", NEW)
    (tmp_path / "f.zip").write_bytes(OLD)
    assert download(url, tmp_path / "f.zip", patience=QUICK) == digest(OLD)
    assert download(url, tmp_path / "f.zip", sha256=digest(OLD), patience=QUICK) == digest(OLD)
    assert server.asked == []
    assert download(url, tmp_path / "f.zip", sha256=digest(NEW), patience=QUICK) == digest(NEW)
    assert content_of(tmp_path) == NEW


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 204, 304])
def test_an_answer_that_will_not_change_is_not_asked_for_twice(server, tmp_path, status):
    url = server.gives("/f.zip", Answer(b"", status))
    assert f"{url}: the server answers {status} " in failure(url, tmp_path / "f.zip")
    assert len(server.asked) == 1
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_server_in_trouble_is_asked_again(server, tmp_path, status):
    url = server.gives("/f.zip", Answer(b"busy", status), Answer(b"busy", status), OLD)
    assert download(url, tmp_path / "f.zip", patience=QUICK) == digest(OLD)
    assert len(server.asked) == 3


def test_a_server_that_stays_in_trouble_is_given_up(server, tmp_path):
    url = server.gives("/f.zip", Answer(b"busy", 503))
    message = failure(url, tmp_path / "f.zip")
    assert message == f"{url}: the server answers 503 Service Unavailable after 3 tries"
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    "silent",
    [Answer(b"", 0, ending="silence"), Answer(OLD, stop=CUT, ending="silence")],
    ids=["from the start", "halfway"],
)
def test_a_silent_server_is_left_after_a_while(server, tmp_path, silent):
    url = server.gives("/f.zip", silent)
    message = failure(url, tmp_path / "f.zip", IMPATIENT)
    assert message == f"{url}: the server stays silent (0.7 s) after 2 tries; run again to resume"
    assert len(server.asked) == 2
    server.gives("/f.zip", OLD)
    assert download(url, tmp_path / "f.zip", patience=QUICK) == digest(OLD)
    assert server.starts()[-1] == (pytest.approx(CUT, abs=1 << 16) if silent.stop else None)


def test_a_server_that_is_not_there_is_named(server, tmp_path):
    with serving() as gone:
        url = gone.url("/f.zip")
    assert (
        failure(url, tmp_path / "f.zip")
        == f"{url}: no connection after 3 tries; run again to resume"
    )


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"SSH-2.0-OpenSSH_9.6\r\n", 0),
        Answer(b"", 0),
        Answer(OLD, headers={"Content-Length": "400000"}, stop=300_000),
        Answer(OLD, headers={"Content-Length": "many"}, stop=CUT, ending="reset"),
        Answer(b"\xff\xffnot chunks\r\n", headers={"Transfer-Encoding": "chunked"}, tag=None),
    ],
    ids=["no HTTP", "hangs up", "promises more", "no number", "no chunks"],
)
def test_a_server_that_talks_nonsense_is_given_up(server, tmp_path, answer):
    url = server.gives("/f.zip", answer)
    message = failure(url, tmp_path / "f.zip")
    assert "after 3 tries" in message
    assert len(server.asked) == 3
    assert not (tmp_path / "f.zip").exists()


@pytest.mark.parametrize(
    "page",
    [
        b"<!DOCTYPE html><html><title>Quota exceeded</title></html>",
        b"\xef\xbb\xbf\r\n <HTML><body>Log in</body></HTML>",
        b"<!-- gone --><html></html>",
    ],
)
def test_a_web_page_is_no_file(server, tmp_path, page):
    url = server.gives("/f.zip", page)
    message = failure(url, tmp_path / "f.zip")
    assert message.startswith(f"{url}: gives a web page in place of the file")
    assert "open the address in a browser" in message
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("length", ["known", "chunked", "unknown"])
def test_nothing_is_no_file(server, tmp_path, length):
    url = server.gives("/f.zip", Answer(b"", length=length))
    assert failure(url, tmp_path / "f.zip") == f"{url}: gives an empty file"
    assert tree(tmp_path) == {}


def moved(to: str) -> Answer:
    return Answer(b"", 302, {"Location": to})


def test_a_circle_of_redirects_is_left(server, tmp_path):
    url = server.gives("/f.zip", moved("/g.zip"))
    server.gives("/g.zip", moved("/f.zip"))
    assert failure(url, tmp_path / "f.zip") == f"{url}: the server redirects in a circle"
    assert len(server.asked) < 50


def test_a_redirect_to_nowhere_is_one_line(server, tmp_path):
    url = server.gives("/f.zip", moved("gopher://old/f.zip"))
    assert failure(url, tmp_path / "f.zip").startswith(f"{url}: No connection adapters")
    assert len(server.asked) == 1


def test_a_relative_redirect_is_followed_also_when_resuming(server, tmp_path):
    url = server.gives("/here/f.zip", moved("../there/g.zip"))
    server.gives("/there/g.zip", Answer(OLD, stop=CUT), OLD)
    assert download(url, tmp_path / "f.zip", patience=QUICK) == digest(OLD)
    assert content_of(tmp_path) == OLD
    assert server.starts("/there") == [None, CUT]


def test_a_packed_file_is_stored_as_it_lies_on_the_server(server, tmp_path):
    # Some servers call a .tar.gz a packed .tar; unpacked on the way, it could not be resumed.
    headers = {"Content-Encoding": "gzip"}
    cut = Answer(OLD, headers=headers, stop=CUT)
    url = server.gives("/f.zip", cut, Answer(OLD, headers=headers))
    assert download(url, tmp_path / "f.zip", patience=QUICK) == digest(OLD)
    assert content_of(tmp_path) == OLD


def test_a_place_that_cannot_be_written_to_is_named(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BenchError) as refused:
        download(server.gives("/f.zip", OLD), tmp_path / "file" / "f.zip", patience=QUICK)
    assert one_line(refused.value).startswith(f"{tmp_path}/file: cannot be written")


# Google Drive

FILE, OTHER, THIRD = "F" * 28, "O" * 28, "T" * 28
FOLDER, NESTED = "D" * 28, "N" * 28
VIEW = f"https://drive.google.com/file/d/{FILE}/view"
ASK = f"/drive.google.com/uc?id={FILE}"
GIVE = "/drive.usercontent.google.com/download"
FORM = f"""<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>
<p class="uc-warning-caption">Google Drive can't scan this file for viruses.</p>
<form id="download-form" action="https://drive.usercontent.google.com/download" method="get">
<input type="submit" id="uc-download-link" value="Download anyway"/>
<input type="hidden" name="id" value="{FILE}"><input type="hidden" name="export" value="download">
<input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="1-2-3"></form>
</body></html>""".replace("\n", "").encode()
QUOTA = b"""<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>
<p class="uc-error-caption">Sorry, you can't view or download this file at this time.</p>
<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently.</p>
</body></html>"""
LOGIN = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><form></form></body></html>"


def page(content: bytes) -> Answer:
    return Answer(content, headers={"Content-Type": "text/html; charset=utf-8"}, tag=None)


def attached(content: bytes, day: int = 1, **options) -> Answer:
    """A file as Drive gives it: with a name and a date, without a tag."""
    answer = dated(content, day, **options)
    name = {"Content-Disposition": 'attachment; filename="x.zip"'}
    return Answer(**{**vars(answer), "headers": answer.headers | name})


def test_drive_gives_a_small_file_at_once(google, tmp_path):
    google.gives(ASK, attached(OLD))
    assert download(VIEW, tmp_path / "in" / "f.zip", patience=QUICK) == digest(OLD)
    assert content_of(tmp_path / "in") == OLD
    assert len(google.asked) == 1


def test_drive_gives_a_large_file_after_a_form(google, tmp_path):
    google.gives(ASK, page(FORM))
    google.gives(GIVE, attached(OLD))
    assert download(VIEW, tmp_path / "in" / "f.zip", patience=QUICK) == digest(OLD)
    assert content_of(tmp_path / "in") == OLD
    assert google.asked[-1].path == f"{GIVE}?id={FILE}&export=download&confirm=t&uuid=1-2-3"


@pytest.mark.parametrize("large", [True, False], ids=["after a form", "at once"])
def test_a_broken_transfer_from_drive_goes_on(google, tmp_path, large):
    files = [attached(OLD, stop=CUT), attached(OLD), attached(OLD)]
    google.gives(ASK, *([page(FORM)] if large else files))
    google.gives(GIVE, *files)
    assert download(VIEW, tmp_path / "in" / "f.zip", patience=QUICK) == digest(OLD)
    assert content_of(tmp_path / "in") == OLD
    assert google.asked[-1].start == CUT
    assert google.asked[-1].sent == len(OLD) - CUT


def test_two_versions_from_drive_are_never_joined(google, tmp_path):
    google.gives(ASK, page(FORM))
    google.gives(GIVE, attached(OLD, 1, stop=CUT), attached(NEW, 8))
    assert download(VIEW, tmp_path / "in" / "f.zip", patience=QUICK) == digest(NEW)


@pytest.mark.parametrize(
    ("first", "second"),
    [(QUOTA, b""), (LOGIN, b""), (FORM, QUOTA), (FORM, FORM)],
    ids=["quota", "log-in", "quota after the form", "the form for ever"],
)
def test_a_page_of_drive_is_no_file(google, tmp_path, first, second):
    google.gives(ASK, page(first))
    google.gives(GIVE, page(second))
    message = failure(VIEW, tmp_path / "in" / "f.zip")
    assert message.startswith(f"{VIEW}: Google Drive gives a web page in place of the file")
    assert "try again in a day" in message
    assert tree(tmp_path) == {}
    assert len(google.asked) <= 2


def test_drive_in_trouble_is_asked_again_but_not_for_a_missing_file(google, tmp_path):
    google.gives(ASK, Answer(b"", 503), page(FORM))
    google.gives(GIVE, Answer(b"", 500), attached(OLD))
    assert download(VIEW, tmp_path / "in" / "f.zip", patience=QUICK) == digest(OLD)
    google.asked.clear()
    google.gives(ASK, Answer(b"gone", 404))
    assert "the server answers 404 Not Found" in failure(VIEW, tmp_path / "in" / "g.zip")
    assert len(google.asked) == 1


def listing(title: str, *links: tuple[str, str]) -> Answer:
    rows = "".join(
        f'<div class="flip-entry"><a href="{href}" target="_blank"><div class="flip-entry-title">'
        f"{name}</div></a></div>"
        for href, name in links
    )
    return page(f"<html><head><title>{title}</title></head><body>{rows}</body></html>".encode())


def file_link(identity: str, name: str) -> tuple[str, str]:
    return f"https://drive.google.com/file/d/{identity}/view?usp=drive_web", name


def folder_link(identity: str, name: str) -> tuple[str, str]:
    return f"https://drive.google.com/drive/folders/{identity}", name


def shows(google, identity: str, *answers: Answer) -> None:
    google.gives(f"/drive.google.com/embeddedfolderview?id={identity}", *answers)


def folder_failure(patience: Patience = QUICK) -> str:
    with pytest.raises(MirrorError) as failed:
        drive_folder(FOLDER, patience)
    message = one_line(failed.value)
    assert message.startswith(f"https://drive.google.com/drive/folders/{FOLDER}: ")
    return message


def test_a_folder_of_drive_is_listed_with_the_folders_in_it(google):
    links = [file_link(FILE, "test.zip"), folder_link(NESTED, "train")]
    shows(google, FOLDER, listing("Rain", *links))
    shows(google, NESTED, listing("train", file_link(OTHER, "rain.zip"), file_link(THIRD, "x.txt")))
    assert drive_folder(FOLDER, QUICK) == [
        ("test.zip", FILE),
        ("train/rain.zip", OTHER),
        ("train/x.txt", THIRD),
    ]


def test_a_document_in_a_folder_of_drive_does_no_harm(google):
    link = f"https://docs.google.com/document/d/{OTHER}/edit", "About"
    shows(google, FOLDER, listing("Rain", link, file_link(FILE, "test.zip")))
    cookie = {"Set-Cookie": "NID=1; Max-Age=9999; Domain=.google.com; Path=/"}
    named = {"Content-Disposition": 'attachment; filename="About.docx"', "Content-Type": "x/y"}
    google.gives(f"/drive.google.com/uc?id={OTHER}", Answer(b"PK", headers=named | cookie))
    assert drive_folder(FOLDER, QUICK) == [("About.docx", OTHER), ("test.zip", FILE)]


def test_names_in_a_folder_of_drive_lead_nowhere_else(google):
    links = [
        file_link(FILE, "../../evil.zip"),
        file_link(OTHER, "/etc/evil.zip"),
        folder_link(NESTED, ".."),
    ]
    shows(google, FOLDER, listing("../..", *links))
    shows(google, NESTED, listing("..", file_link(THIRD, "..\\evil.zip")))
    for path, _ in drive_folder(FOLDER, QUICK):
        assert not re.search(r"(^|[/\\])(\.\.)?([/\\]|$)", path), path


def test_a_folder_of_drive_that_is_gone_is_named(google):
    shows(google, FOLDER, Answer(b"gone", 404))
    assert "status code 404" in folder_failure()
    assert len(google.asked) == 1


def test_folders_of_drive_that_hold_one_another_are_left(google, monkeypatch):
    shows(google, FOLDER, listing("Rain", folder_link(NESTED, "rain")))
    shows(google, NESTED, listing("rain", folder_link(FOLDER, "Rain")))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)  # reached sooner
    try:
        message = folder_failure()
    finally:
        sys.setrecursionlimit(limit)
    assert "its folders hold one another" in message


def test_an_empty_or_private_folder_of_drive_is_named(google):
    shows(google, FOLDER, listing("Rain"))
    assert "the folder is empty or private" in folder_failure()
    shows(google, FOLDER, page(b"<html><body>Sign in</body></html>"))
    assert "cannot be listed" in folder_failure()


def test_a_listing_is_tried_again_while_drive_is_in_trouble(google):
    good = listing("Rain", file_link(FILE, "test.zip"))
    shows(google, FOLDER, Answer(b"", 503), Answer(b"", 429), good)
    assert drive_folder(FOLDER, QUICK) == [("test.zip", FILE)]
    shows(google, FOLDER, Answer(b"", 503))
    assert "after 3 tries" in folder_failure()
    shows(google, FOLDER, Answer(b"", 0, ending="silence"))
    assert "stays silent (0.7 s) after 2 tries" in folder_failure(IMPATIENT)
