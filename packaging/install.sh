#!/bin/sh
# Installs torc for one person or a group, without root: copies this folder to PREFIX/lib/torc/VERSION and puts links to the
# program, its manual pages and its completion where shells and man look below PREFIX.
set -eu

usage() {
  cat <<'TEXT'
usage: sh install.sh [--prefix DIR] [--uninstall]

  --prefix DIR   where to install torc (default: ~/.local): DIR/bin/torc, DIR/lib/torc, DIR/share
  --uninstall    remove this version of torc from there; server directories and results stay
  --help         print this help

torc also works without installation: bin/torc in this folder. Other versions below DIR/lib/torc stay as they are, for
allocations that still run with them.
TEXT
}

fail() {
  echo "install.sh: $1" >&2
  [ $# = 1 ] || echo "  $2" >&2
  exit "${3:-1}"
}

# For a line that a person types: quoted where a shell needs that.
word() {
  case $1 in
    *[!A-Za-z0-9_./+:@%=-]*) printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")" ;;
    *) printf '%s' "$1" ;;
  esac
}

here=$(CDPATH='' cd -P "$(dirname "$0")" && pwd)
version=$(cat "$here/VERSION") || fail "$here is not a folder of torc" "Run install.sh where the tarball was unpacked."
prefix=
uninstall=no
while [ $# -gt 0 ]; do
  case $1 in
    --prefix)
      [ $# -gt 1 ] && [ -n "$2" ] || fail "--prefix needs a directory" "sh install.sh --prefix DIR" 2
      prefix=$2
      shift 2
      ;;
    --prefix=?*) prefix=${1#--prefix=}; shift ;;
    --uninstall) uninstall=yes; shift ;;
    -h | --help) usage; exit ;;
    *) fail "unknown argument: $1" "sh install.sh --help lists what it takes." 2 ;;
  esac
done
if [ -z "$prefix" ]; then
  case $here in
    */lib/torc/"$version") prefix=${here%/lib/torc/"$version"} ;; # the installed copy
    *) prefix=${HOME:?HOME is not set; say --prefix DIR}/.local ;;
  esac
fi
# a shell leaves the tilde of --prefix=~/DIR as it is
case $prefix in '~' | '~/'*) prefix=${HOME:?HOME is not set}${prefix#'~'} ;; esac
case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac
case $prefix in ?*/) prefix=${prefix%/} ;; esac
# elsewhere than at home, others use it too, whatever the umask is
if [ "$prefix" != "${HOME:-}/.local" ]; then umask "$(printf '%04o' $(($(umask) & ~055)))"; fi
tree=$prefix/lib/torc/$version

# Each line: a folder below PREFIX, how a link there leads back to PREFIX, and a file of the package to link there.
links() {
  echo "bin .. bin/torc"
  for page in "$1"/share/man/man1/*.1; do echo "share/man/man1 ../../.. share/man/man1/${page##*/}"; done
  echo "share/bash-completion/completions ../../.. share/bash-completion/completions/torc"
  echo "share/zsh/site-functions ../../.. share/zsh/site-functions/_torc"
  echo "share/fish/vendor_completions.d ../../.. share/fish/vendor_completions.d/torc.fish"
}

# Whether a file is a link into some version of torc below PREFIX.
is_ours() {
  [ -L "$1" ] || return 1
  case $(readlink "$1") in *../lib/torc/*) ;; *) return 1 ;; esac
}

# On NFS a file that is open stays until it is closed, and so does its folder: then the next installation removes it.
remove_tree() {
  [ ! -e "$tree" ] || mv "$tree" "$prefix/lib/torc/.old-$$"
  rm -rf "$prefix"/lib/torc/.old-* 2>/dev/null || true
}

if [ "$uninstall" = yes ]; then
  [ -d "$tree" ] || fail "torc $version is not installed in $prefix" "sh install.sh --uninstall --prefix DIR removes it from DIR."
  # not from the file itself, which would keep its folder: see remove_tree
  case ${0##*/} in install.sh) exec sh -c "$(cat "$0")" "$here/install" --uninstall --prefix "$prefix" ;; esac
  links "$tree" | while read -r folder up file; do
    link=$prefix/$folder/${file##*/}
    [ -L "$link" ] && [ "$(readlink "$link")" = "$up/lib/torc/$version/$file" ] || continue
    rm -f "$link"
  done
  remove_tree
  # only folders that are empty now
  for folder in lib/torc share/man/man1 share/bash-completion/completions share/zsh/site-functions share/fish/vendor_completions.d; do
    rmdir "$prefix/$folder" 2>/dev/null || true
  done
  echo "removed torc $version from $prefix"
  for other in "$prefix"/lib/torc/*/install.sh; do
    [ ! -e "$other" ] || [ -e "$prefix/bin/torc" ] || echo "To use an older version again: sh $(word "$other")"
  done
  exit
fi

started=$("$here/libexec/node" --version 2>&1) ||
  fail "node of this package does not start here: $started" \
    "It needs Linux, the processor in the tarball's name (this is $(uname -m)), glibc 2.28 or newer, and libstdc++.so.6."

links "$here" | while read -r folder up file; do
  link=$prefix/$folder/${file##*/}
  if [ -e "$link" ] || [ -L "$link" ]; then
    is_ours "$link" || fail "$link is there and is not part of a torc that install.sh installed" \
      "Move it away, or choose another place: sh install.sh --prefix DIR"
  fi
done

cd "$here"
mkdir -p "$prefix/lib/torc" || fail "$prefix cannot be written to" "Choose another place: sh install.sh --prefix DIR"
# without ..
prefix=$(CDPATH='' cd "$prefix" && pwd)
tree=$prefix/lib/torc/$version
if [ "$here" != "$(CDPATH='' cd -P "$tree" 2>/dev/null && pwd)" ]; then
  fresh=$prefix/lib/torc/.new-$$
  trap 'rm -rf "$fresh"' EXIT
  mkdir "$fresh"
  # by name: somebody may have run torc here first, and left files
  for part in bench bin dist docker docs examples libexec node_modules share slurm install.sh package.json VERSION LICENSE *.md *.txt *.json; do
    [ -e "$fresh/$part" ] || cp -R "$part" "$fresh/"
  done
  # tar has left out what the umask denies
  [ "$prefix" = "${HOME:-}/.local" ] || chmod -R go+rX "$fresh"
  remove_tree
  mv "$fresh" "$tree"
fi
links "$tree" | while read -r folder up file; do
  mkdir -p "$prefix/$folder"
  ln -sf "$up/lib/torc/$version/$file" "$prefix/$folder/${file##*/}"
done

echo "torc $version is installed: $prefix/bin/torc"
# each command on a line of its own, however long the prefix is
case :$PATH: in
  *:"$prefix/bin":*) ;;
  *)
    echo "To find it on your PATH, in ~/.bashrc or ~/.zshrc:"
    echo "  export PATH=$(word "$prefix/bin"):\$PATH"
    ;;
esac
echo "Completion, in ~/.bashrc (in ~/.zshrc with zsh; fish: torc completion --help):"
echo "  source <(torc completion bash)"
echo "A first workflow, and where the documentation is:"
echo "  torc example hello"
echo "  torc docs"
echo "To remove it:"
echo "  sh $(word "$tree/install.sh") --uninstall"
