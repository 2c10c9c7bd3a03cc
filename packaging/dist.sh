#!/bin/sh
# Builds the files of a release into target/dist. Run by `make dist` and by the release workflow.
#
#     sh packaging/dist.sh [PART...]
#
# Parts, in this order; all of them by default:
#     build     static programs for $TARGET, and soong-statusd, which is not static
#     archive   soong-VERSION-TARGET.tar.xz and .tar.gz
#     deb       Debian package (cargo-deb)
#     rpm       RPM package (cargo-generate-rpm)
#     source    soong-VERSION.tar.gz, the tracked files of HEAD
#     crates    packages for crates.io
#     sbom      software bill of materials (cargo-cyclonedx)
#     fill      install.sh, soong.rb, PKGBUILD and soong.install, with version, addresses and checksums
#     sums      SHA256SUMS
#
# TARGET       target triple; x86_64-unknown-linux-musl by default
# RELEASE_URL  address of the files; the folder itself by default, so that local files can be installed
# HOMEPAGE     address of the project; `repository` in Cargo.toml by default. Without one, the packages name none
# BINDIR       folder of the built programs; the one of the build by default
# DIST         folder for the archives; target/dist by default
# MAINTAINER   'NAME <ADDRESS>' in the packages; author of the last commit by default
set -eu
cd "$(dirname "$0")/.."

cargo=${CARGO:-cargo}
target=${TARGET:-$(uname -m)-unknown-linux-musl}
# The daemon for instances loads NVIDIA's library, which a static program cannot.
dynamic=${target%-musl}-gnu
dist=${DIST:-target/dist}
stage=$dist/stage
mkdir -p "$stage"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
release_url=${RELEASE_URL:-file://$(cd "$dist" && pwd)}
homepage=${HOMEPAGE:-$(sed -n 's/^repository = "\(.*\)"/\1/p' Cargo.toml | head -n 1)}
maintainer=${MAINTAINER:-$(git log -1 --format='%an <%ae>')}
built=${BINDIR:-${CARGO_TARGET_DIR:-target}/$target/release}
# Time of all files in the packages, so that the same commit gives the same bytes.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

# Checks that a tool is installed. $1: name; $2: the command that installs it.
need() {
    command -v "$1" >/dev/null && return
    echo "dist: $1 is not installed; install it: $2" >&2
    exit 1
}

# Puts the installed files into $stage/$1. The other arguments are variables of the Makefile.
stage() {
    rm -rf "${stage:?}/$1"
    directory=$stage/$1
    shift
    make --silent install-files BINDIR="$built" DESTDIR="$directory" "$@"
    # The document stands for any address; the workflow knows it.
    case $homepage in
    https://github.com/*)
        find "$directory" -path '*/docs/installation.md' -exec sed -i -e "s|RELEASES|$homepage/releases|g" \
            -e "s|OWNER/NAME|${homepage#https://github.com/}|g" {} +
        ;;
    esac
}

# Copies the tracked files of HEAD into $stage/tree; their manifests name the repository. cargo-deb and cargo package
# take the address from there only.
tree() {
    rm -rf "$stage/tree"
    mkdir -p "$stage/tree/target"
    git archive HEAD | tar -x -C "$stage/tree"
    [ -n "$homepage" ] || return 0
    for manifest in Cargo.toml crates/soong-extension/Cargo.toml crates/soong-statusd/Cargo.toml; do
        sed -i -e '/^repository = /d' -e "s|^license = |repository = \"$homepage\"\n&|" "$stage/tree/$manifest"
    done
}

build() {
    $cargo build --locked --release --bins --target "$target"
    $cargo build --locked --release --package soong-statusd --target "$dynamic"
    cp "${CARGO_TARGET_DIR:-target}/$dynamic/release/soong-statusd" "$built/"
}

make_archive() {
    name=soong-$version-$target
    stage "$name" PREFIX=
    # Their bytes depend on the files only. xz finds what the programs have in common: a fourth of the size. The other
    # archive is for systems without xz.
    tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=gnu \
        -C "$stage" -cf "$stage/$name.tar" "$name"
    gzip -9nc "$stage/$name.tar" >"$dist/$name.tar.gz"
    xz --threads=1 -9c "$stage/$name.tar" >"$dist/$name.tar.xz"
    rm "$stage/$name.tar"
}

deb() {
    need cargo-deb 'cargo install --locked cargo-deb'
    stage deb PREFIX=/usr ZSH_FUNCTIONS=vendor-completions LICENCE_DIRECTORY=
    mv "$stage/deb/usr/share/doc/soong/CHANGELOG.md" "$stage/deb/usr/share/doc/soong/changelog"
    install -d "$stage/deb/usr/share/lintian/overrides"
    install -m 644 packaging/debian/lintian-overrides "$stage/deb/usr/share/lintian/overrides/soong"
    cat >"$stage/changelog" <<END
soong ($version-1) unstable; urgency=medium

  * New version; see changelog.gz.

 -- $maintainer  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
END
    tree
    # The manifest names the staged files by this path.
    ln -s "$(cd "$dist" && pwd)" "$stage/tree/target/dist"
    $cargo deb --quiet --no-build --no-strip --compress-system --target "$target" --maintainer "$maintainer" \
        --manifest-path "$stage/tree/Cargo.toml" --output "$(cd "$dist" && pwd)/"
    rm -r "$stage/tree"
}

rpm() {
    need cargo-generate-rpm 'cargo install --locked cargo-generate-rpm'
    stage rpm PREFIX=/usr
    gzip -9n "$stage"/rpm/usr/share/man/man*/*
    $cargo generate-rpm --target "$target" --output "$dist/" \
        --set-metadata "vendor = \"$maintainer\"${homepage:+
url = \"$homepage\"}"
}

source_archive() {
    git archive --format=tar --prefix="soong-$version/" HEAD | gzip -9n >"$dist/soong-$version.tar.gz"
}

crates() {
    tree
    $cargo package --quiet --locked --workspace --allow-dirty --no-verify \
        --manifest-path "$stage/tree/Cargo.toml" --target-dir "$stage/tree/target"
    mv "$stage"/tree/target/package/*.crate "$dist/"
    rm -r "$stage/tree"
}

sbom() {
    need cargo-cyclonedx 'cargo install --locked cargo-cyclonedx'
    for package in soong soong-statusd; do
        case $package in
        soong) manifest=Cargo.toml triple=$target ;;
        *) manifest=crates/$package/Cargo.toml triple=$dynamic ;;
        esac
        $cargo cyclonedx --quiet --manifest-path "$manifest" --format json --spec-version 1.5 --target "$triple" \
            --override-filename "$package-$version.cdx"
        # Without the path of this folder: the same commit gives the same bytes everywhere.
        sed -e "s|path+file://$PWD|path+file://|g" -e 's|?download_url=file://\.||g' \
            "$(dirname "$manifest")/$package-$version.cdx.json" >"$dist/$package-$version.cdx.json"
    done
    # One file for each member of the workspace is written; those of the others are not released.
    find . -path ./target -prune -o -name "*-$version.cdx.json" -exec rm {} +
}

sum_of() {
    if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1
}

# Fills the placeholders of a template. Standard input to standard output.
fill() {
    archives=''
    for file in "$dist/soong-$version"-*.tar.[gx]z; do
        [ ! -e "$file" ] || archives="$archives${archives:+\\n}$(sum_of "$file")  ${file##*/}"
    done
    sed -e "s|@VERSION@|$version|g" -e "s|@RELEASE_URL@|$release_url|g" -e "s|@HOMEPAGE@|${homepage:-$release_url}|g" \
        -e "s|@MAINTAINER@|$maintainer|g" -e "s|@ARCHIVES@|$archives|g" \
        -e '/^@PATH_STEP@$/{' -e 'r packaging/path-step.sh' -e 'd' -e '}' \
        -e "s|@SOURCE_SHA256@|$(sum_of "$dist/soong-$version.tar.gz")|g"
}

fill_all() {
    for template in packaging/*.in; do
        name=$(basename "$template" .in)
        fill <"$template" >"$dist/$name"
        if grep -n '@[A-Z0-9_]*@' "$dist/$name" >&2; then
            echo "dist: $template has a placeholder that packaging/dist.sh does not fill" >&2
            exit 1
        fi
    done
    chmod 755 "$dist/install.sh"
}

sums() {
    rm -f "$dist/SHA256SUMS"
    list=$(cd "$dist" && for file in *; do [ -d "$file" ] || echo "$(sum_of "$file")  $file"; done)
    echo "$list" >"$dist/SHA256SUMS"
}

[ $# -gt 0 ] || set -- build archive deb rpm source crates sbom fill sums
for part; do
    case $part in
    build | deb | rpm | crates | sbom | sums) "$part" ;;
    archive) make_archive ;;
    source) source_archive ;;
    fill) fill_all ;;
    *)
        echo "dist: unknown part: $part" >&2
        exit 2
        ;;
    esac
done
