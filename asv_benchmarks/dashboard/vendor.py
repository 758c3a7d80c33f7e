"""The scripts and the style sheet that asv's page loads from elsewhere, brought beside it.

npm fetches the packages from the registry it is set up for, once, into the user's cache; each is checked
against the digest written here, and each file against the digest in asv's page.
"""

import base64
import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path


class Unavailable(Exception):
    """npm is not there, or cannot fetch."""


@dataclass(frozen=True)
class Package:
    """A package of npm, the digest of its archive, and its files by the names they have in asv's page."""

    name: str
    version: str
    sha512: str
    files: dict[str, str]
    same_build: bool = True  # whether the files are byte for byte those that asv's page expects

    @property
    def archive(self):
        return f"{self.name}-{self.version}.tgz"


PACKAGES = (
    Package(
        "jquery",
        "3.3.1",
        "Ubldcmxp5np52/ENotGxlLe6aGMvmF4R8S6tZjsP6Knsaxd/xp3Zrh50cG93lR6nPXyUFwzN3ZSOQI0wRJNdGg==",
        {"jquery-3.3.1.min.js": "dist/jquery.min.js"},
    ),
    Package(  # npm has flot as its authors wrote it, asv asks for it minified
        "flot",
        "0.8.3",
        "xg2otcTJDvS+ERK+my4wxG/ASq90QURXtoM4LhacCq0jQW2jbyjdttbRNqU2cPykrpMvJ6b2uSp6SAgYAzj9tQ==",
        {
            "jquery.flot.min.js": "jquery.flot.js",
            "jquery.flot.time.min.js": "jquery.flot.time.js",
            "jquery.flot.selection.min.js": "jquery.flot.selection.js",
            "jquery.flot.categories.min.js": "jquery.flot.categories.js",
        },
        same_build=False,
    ),
    Package(
        "flot-orderbars",
        "1.0.0",
        "Jv51fvzevUjNXEeozpwEKfPjhiZhfiJddv0WHjduUTCmSF+7T5K7C9c9Y1wIVmUhDBv5fLMjgbwKecT0GIKPZA==",
        {"jquery.flot.orderBars.js": "js/jquery.flot.orderBars.js"},
    ),
    Package(  # the only version that npm has; asv asks for 1.0.1, with the same functions and events
        "stupid-table-plugin",
        "1.1.3",
        "2Vk7XouQPxUQPRe9w0Fu7ZZ8kHLK7rDoLMsCgtKxRNJ7f4dSOGvW9CkHsq5wD6QsaEnWoyLBYH3xOEsrK3yWBg==",
        {"stupidtable.min.js": "stupidtable.min.js"},
        same_build=False,
    ),
    Package(
        "blueimp-md5",
        "2.19.0",
        "DRQrD6gJyy8FbiE4s+bDoXS9hiW3Vbx5uCdwvcCf3zLHL+Iv7LtGHLpr+GZV8rHG8tK766FGYBwRbu8pELTt+w==",
        {"md5.min.js": "js/md5.min.js"},
    ),
    Package(
        "bootstrap",
        "3.1.1",
        "TAzqS8E/ISpVHP29gYhy+1NSV+FJwApDVQhDfgLYsIuUDJiqJzH2DfORN5tiu+Ie2iBLrzEG34t4Rf465cigqg==",
        {"bootstrap.min.js": "dist/js/bootstrap.min.js", "bootstrap.min.css": "dist/css/bootstrap.min.css"},
    ),
)
FOLDER = "vendor"
_ELSEWHERE = re.compile(r'<(?:script|link)\b[^>]*\b(?:src|href)="(?P<address>https?://[^"]+)"[^>]*>')


def cache_folder():
    """Where the archives stay between two publications."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastnn" / "dashboard"


def digest(data, name="sha512"):
    """As pages and npm write it: base64."""
    return base64.b64encode(hashlib.new(name, data).digest()).decode()


def _intact(path, package):
    return path.is_file() and digest(path.read_bytes()) == package.sha512


def _pack(packages, folder):
    """Let npm write the archives of `packages` into `folder`."""
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable(
            "npm is not installed; it fetches the scripts of asv's page: install Node.js with npm"
        )
    call = [npm, "pack", "--loglevel=error", "--prefer-offline", "--fetch-retries=1"]
    call += [f"--pack-destination={folder}", *(f"{package.name}@{package.version}" for package in packages)]
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = "; ".join(line.removeprefix("npm error ") for line in done.stderr.splitlines()[:3])
        raise Unavailable(f"npm could not fetch the scripts of asv's page: {reason}")


def archives(cache):
    """(package, its archive as bytes) of each package, from the folder `cache`; npm brings what it lacks."""
    cache.mkdir(parents=True, exist_ok=True)
    missing = [package for package in PACKAGES if not _intact(cache / package.archive, package)]
    if missing:
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            _pack(missing, folder)
            for package in missing:
                fetched = Path(folder) / package.archive
                if not _intact(fetched, package):
                    raise ValueError(
                        f"{package.name} {package.version} from npm's registry is not the package that "
                        "dashboard/vendor.py names: its SHA-512 differs; check the registry"
                    )
                os.replace(fetched, cache / package.archive)
    return [(package, (cache / package.archive).read_bytes()) for package in PACKAGES]


def files(cache):
    """(contents, whether asv's digest holds for it) of each file by its name in asv's page."""
    found = {}
    for package, data in archives(cache):
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for name, path in package.files.items():
                found[name] = archive.extractfile(f"package/{path}").read(), package.same_build
    return found


def bring(page, folder, cache=None):
    """The text of asv's `page` with every address changed to a file in `folder`/vendor, which is written."""
    known = files(cache or cache_folder())
    wanted = {}

    def local(match):
        tag, address = match.group(), match["address"]
        name = address.rsplit("/", 1)[1]
        if name not in known:
            raise ValueError(
                f"asv's page loads {name}, which dashboard/vendor.py does not know: add it there"
            )
        wanted[name], same_build = known[name]
        expected = re.search(r'integrity="(\w+)-([^"]+)"', tag)
        if same_build and expected and digest(wanted[name], expected[1]) != expected[2]:
            raise ValueError(
                f"asv's page expects another {name} than dashboard/vendor.py brings: "
                "name the version there that asv's index.html asks for"
            )
        tag = re.sub(r' (?:integrity|crossorigin|referrerpolicy)="[^"]*"', "", tag)
        return tag.replace(address, f"{FOLDER}/{name}")

    page = _ELSEWHERE.sub(local, page)
    (folder / FOLDER).mkdir(exist_ok=True)
    for name, data in wanted.items():
        (folder / FOLDER / name).write_bytes(data)
    return page
