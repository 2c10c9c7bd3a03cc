# Does what `brew install --build-from-source` and `brew test` do with the formula of a release, without Homebrew.
#
#     ruby packaging/check-formula.rb FORMULA DIRECTORY
#
# DIRECTORY is for the unpacked source and the installation.

require "digest"
require "fileutils"
require "open3"

formula_file, directory = ARGV.map { |argument| File.expand_path(argument) }

# The part of Homebrew's language that the formula uses.
class Formula
  class << self
    attr_reader :source, :checksum, :tests

    %w[desc homepage license depends_on].each { |word| define_method(word) { |*| nil } }

    def url(address)
      @source = address
    end

    def sha256(sum)
      @checksum = sum
    end

    def test(&steps)
      @tests = steps
    end
  end

  attr_reader :prefix

  def initialize(prefix)
    @prefix = prefix
  end

  def bin
    "#{prefix}/bin"
  end

  def version
    self.class.source[/-([\d.]+)\.tar\.gz\z/, 1]
  end

  def system(*words)
    Kernel.system(*words, exception: true)
  end

  def shell_output(command)
    output, status = Open3.capture2(command)
    raise "#{command}: #{status}" unless status.success?

    output
  end

  def assert_match(text, output)
    raise "no #{text} in #{output}" unless output.include?(text)

    puts "formula: #{text} in #{output.lines.first}"
  end
end

load formula_file
source = Soong.source.delete_prefix("file://")
raise "checksum of #{source}" unless Digest::SHA256.file(source).hexdigest == Soong.checksum

FileUtils.mkdir_p("#{directory}/src")
system("tar", "-xzf", source, "-C", "#{directory}/src", exception: true)
formula = Soong.new("#{directory}/prefix")
Dir.chdir(Dir["#{directory}/src/*"].first) { formula.install }
formula.instance_eval(&Soong.tests)
