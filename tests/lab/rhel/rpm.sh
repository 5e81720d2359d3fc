# shellcheck shell=bash
# Sourced by what builds rpm packages: a tree of files in $work, then `pack` it. Needs lib.sh.

RPMS=$LAB_ROOT/rpms                        # built packages by repository, not signed yet
RHEL_KIND=rocky9                           # the host's name under $ROOTFS

tree() { # begins a package
  work=$(mktemp -d "$LAB_ROOT/rpm.XXXXXX"); mkdir "$work/files"; chmod 755 "$work/files"; files=$work/files
  requires=() provides=() post=() services=()
}

# RHEL has only links in place of these, and its packages name the files by their true paths.
merge_usr() {
  local dir
  for dir in bin sbin lib lib64; do
    [ -d "$files/$dir" ] && [ ! -L "$files/$dir" ] || continue
    mkdir -p "$files/usr/$dir"; cp -a "$files/$dir/." "$files/usr/$dir/"; rm -rf "${files:?}/$dir"
  done
}

file_list() { # what an administrator may edit is configuration; directories belong to a package only when they are empty
  ( cd "$files"
    find etc \( -type f -o -type l \) -printf '%%config(noreplace) "/%p"\n' 2>/dev/null || true
    find . -path ./etc -prune -o \( -type f -o -type l \) -printf '"/%P"\n'
    find . -mindepth 1 -type d -empty -printf '%%dir "/%P"\n' )
}

scripts() { # a service is installed, not enabled: on RHEL that is the administrator's decision
  printf '%%post\n/sbin/ldconfig || :\n'; printf '%s\n' ${post[@]+"${post[@]}"}
  [ ${#services[@]} -gt 0 ] || return 0
  printf '[ ! -d /run/systemd/system ] || systemctl daemon-reload || :\n'
  printf '%%preun\n[ $1 != 0 ] || [ ! -d /run/systemd/system ] || systemctl --no-reload disable --now %s || :\n' "${services[*]}"
  printf '%%postun\n[ ! -d /run/systemd/system ] || systemctl daemon-reload || :\n'
}

pack() { # repository name version release summary
  merge_usr; rm -rf "$files"/usr/share/{doc,man,lintian,bug,locale,bash-completion}
  file_list > "$work/list"
  { printf '%s\n' "Name: $2" "Version: $3" "Release: $4" "Summary: $5" "License: Apache-2.0" "AutoReqProv: no"
    printf 'Requires: %s\n' ${requires[@]+"${requires[@]}"} | grep -v ' $' || true
    printf 'Provides: %s\n' ${provides[@]+"${provides[@]}"} | grep -v ' $' || true
    printf '%s\n' '%description' 'Built by the test lab of ci-bootstrap. Not an upstream package.' \
      '%install' "mkdir -p %{buildroot}; cp -a $files/. %{buildroot}/"
    scripts; printf '%%files -f %s\n' "$work/list"; } > "$work/package.spec"
  # The programs are finished: nothing is stripped, split or searched for dependencies.
  rpmbuild --quiet -bb "$work/package.spec" > "$work/log" 2>&1 --define "_topdir $work/build" --define "_dbpath $work/db" --define "_rpmdir $RPMS.new/$1" \
    --define '_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' --define '_binary_payload w1.zstdio' \
    --define '__os_install_post %{nil}' --define 'debug_package %{nil}' --define '_build_id_links none' \
    || die "rpmbuild of $2 failed: $(grep -v ^warning "$work/log" | tail -3)"
  rm -rf "$work"
}
