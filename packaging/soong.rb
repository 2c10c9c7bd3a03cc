# Homebrew formula. To be filled in at a release: where it is published, and the sum of its source.
class Soong < Formula
  desc "Ports of a rented GPU instance on your own localhost"
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
