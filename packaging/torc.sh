#!/bin/sh
# Starts torc with the node of this package. It finds both from its own place, also through symbolic links.
file=$0
case $file in */*) ;; *) file=./$file ;; esac
while [ -L "$file" ]; do
  target=$(readlink "$file")
  case $target in
    /*) file=$target ;;
    *) file=${file%/*}/$target ;;
  esac
done
root=$(CDPATH='' cd -P "${file%/*}/.." && pwd) || exit 5
exec "$root/libexec/node" "$root/dist/cli/main.js" "$@"
