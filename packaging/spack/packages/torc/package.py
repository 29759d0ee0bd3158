# A recipe for Spack 1.0 that installs the tarball. Nobody has tried it yet: corrections are welcome. Make the tarball first
# (npm run package), then in the folder that holds it:
#
#   spack repo add CHECKOUT/packaging/spack
#   spack install --no-checksum torc
import os

from spack_repo.builtin.build_systems.generic import Package

from spack.package import *


class Torc(Package):
    """A batch orchestrator for Slurm: many jobs in few allocations, with restart, diagnosis and dry runs."""

    # the tarball is not published: it is taken from the current folder
    url = f"file://{os.getcwd()}/torc-0.1.0-linux-x64.tar.gz"
    manual_download = True

    version("0.1.0")

    license("MIT")

    requires("platform=linux", "target=x86_64:", msg="the tarball contains programs for Linux on x64")

    def install(self, spec, prefix):
        # the folder works as it is, with bin/torc and share/man where Spack looks
        install_tree(".", prefix)
