# Homebrew formula. Set homepage, url and sha256 for each release.
class Soong < Formula
  desc "Make the ports of a rented GPU instance available on localhost"
  homepage "https://example.org/soong"
  url "https://example.org/soong/soong-0.1.0.tar.gz"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license any_of: ["MIT", "Apache-2.0"]

  depends_on "rust" => :build

  def install
    system "make", "install", "PREFIX=#{prefix}"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/soong --version")
    assert_match "start", shell_output("#{bin}/soong-complete words soong tunnel sta")
  end
end
