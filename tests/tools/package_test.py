"""The Debian package: built by CPack, installed into a folder of its own, and run from there."""

import argparse
import filecmp
import os
import shutil
import subprocess
import tempfile
import unittest

WEFT = None

LIMIT = 5 * 1000 * 1000


def run(*arguments, **options):
    return subprocess.run(arguments, text=True, capture_output=True, timeout=300, **options)


def sanitized():
    with open(os.path.join(os.path.dirname(WEFT), "CMakeCache.txt")) as cache:
        return any(line.startswith("WEFT_SANITIZE") and not line.rstrip().endswith("=") for line in cache)


@unittest.skipUnless(shutil.which("cpack") and shutil.which("dpkg-deb"), "cpack or dpkg-deb is missing")
class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        if sanitized():
            raise unittest.SkipTest("nobody packs a build with sanitizers")
        build = os.path.dirname(WEFT)
        # What is still to be built is not this test's business: the binary and the image are there.
        packed = run("cpack", "--config", os.path.join(build, "CPackConfig.cmake"), "-G", "DEB", "-B",
                     cls.folder.name, cwd=build)
        assert packed.returncode == 0, packed.stdout + packed.stderr
        packages = [name for name in os.listdir(cls.folder.name) if name.endswith(".deb")]
        assert len(packages) == 1, packages
        cls.package = os.path.join(cls.folder.name, packages[0])
        cls.root = os.path.join(cls.folder.name, "root")
        cls.library = os.path.join(cls.root, "usr", "lib", "weft")
        cls.weft = os.path.join(cls.root, "usr", "bin", "weft")
        cls.control = os.path.join(cls.folder.name, "control")
        for option, folder in (("-x", cls.root), ("-e", cls.control)):
            unpacked = run("dpkg-deb", option, cls.package, folder)
            assert unpacked.returncode == 0, unpacked.stderr
        installed = cls.script("postinst", "configure")
        assert (installed.returncode, installed.stdout, installed.stderr) == (0, "", ""), installed

    @classmethod
    def script(cls, name, *arguments):
        """Runs a script of the package as dpkg does for a system in a folder."""
        return run(os.path.join(cls.control, name), *arguments, env=dict(os.environ, DPKG_ROOT=cls.root))

    def test_what_is_in_it(self):
        for path in ("bin/weft", "lib/weft/weft.image", "lib/weft/stdlib/kernel/kernel.weft",
                     "lib/weft/stdlib/kernel/kernel-docs.weft", "share/man/man1/weft.1",
                     "share/bash-completion/completions/weft", "share/zsh/vendor-completions/_weft",
                     "share/fish/vendor_completions.d/weft.fish", "share/weft/editors/vim/syntax/weft.vim"):
            self.assertTrue(os.path.exists(os.path.join(self.root, "usr", path)), path)
        for directory, _, names in os.walk(self.root):
            for name in names:
                self.assertFalse(name.endswith("-tests.weft"), os.path.join(directory, name))

    def test_its_description(self):
        fields = run("dpkg-deb", "-f", self.package, "Package", "Depends", "Architecture").stdout
        self.assertIn("Package: weft", fields)
        self.assertIn("Depends: libc6", fields)

    def test_its_size(self):
        self.assertLess(os.path.getsize(self.package), LIMIT)

    def test_it_runs(self):
        result = run(self.weft, "-e", "2 3 + .")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "5\n", ""))

    def test_the_image_is_the_one_that_the_build_makes(self):
        other = os.path.join(self.folder.name, "other.image")
        built = run(WEFT, "--build-image", other, os.path.join(self.library, "stdlib"), cwd=self.library)
        self.assertEqual(built.returncode, 0, built.stderr)
        self.assertTrue(filecmp.cmp(other, os.path.join(self.library, "weft.image"), shallow=False))

    @unittest.skipUnless(os.geteuid() == 0, "dpkg installs for root only")
    def test_from_unpacking_to_removal(self):
        root = os.path.join(self.folder.name, "system")
        os.makedirs(os.path.join(root, "var/lib/dpkg/updates"))
        os.makedirs(os.path.join(root, "var/lib/dpkg/info"))
        for name in ("status", "available"):
            open(os.path.join(root, "var/lib/dpkg", name), "w").close()

        def dpkg(*arguments):
            return run("dpkg", "--root=" + root, "--force-script-chrootless", "--force-depends", *arguments)

        library = os.path.join(root, "usr/lib/weft")
        unpacked = dpkg("--unpack", self.package)
        self.assertEqual(unpacked.returncode, 0, unpacked.stderr)
        # A library that does not load is no installation.
        source = os.path.join(library, "stdlib/kernel/kernel.weft")
        with open(source) as file:
            text = file.read()
        with open(source, "a") as file:
            file.write("\n: unfinished ( -- ")
        failed = dpkg("--configure", "weft")
        self.assertNotEqual(failed.returncode, 0)
        self.assertIn("kernel.weft", failed.stderr)
        self.assertIn("the image of the library could not be made in " + library, failed.stderr)
        self.assertEqual(sorted(os.listdir(library)), ["stdlib"])
        with open(source, "w") as file:
            file.write(text)
        configured = dpkg("--configure", "weft")
        self.assertEqual(configured.returncode, 0, configured.stderr)
        self.assertEqual(run(os.path.join(root, "usr/bin/weft"), "-e", "2 3 + .").stdout, "5\n")
        removed = dpkg("--remove", "weft")
        self.assertEqual(removed.returncode, 0, removed.stderr)
        self.assertFalse(os.path.exists(library))
        self.assertNotIn("warning: while removing", removed.stderr)

    def test_its_help_is_its_own(self):
        path = os.path.join(self.root, "usr", "lib", "weft", "stdlib", "kernel", "kernel-docs.weft")
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:
            file.write(text.replace("Exchanges the two top items.", "This is the installed text."))
        self.assertIn("This is the installed text.", run(self.weft, "help", "swap").stdout)

    def test_few_libraries(self):
        libraries = run("ldd", self.weft).stdout.splitlines()
        names = [line.split()[0] for line in libraries if "linux-vdso" not in line and "ld-linux" not in line]
        self.assertLessEqual(len(names), 5, names)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--weft", required=True)
    arguments, rest = parser.parse_known_args()
    WEFT = os.path.abspath(arguments.weft)
    unittest.main(argv=["package_test"] + rest)
