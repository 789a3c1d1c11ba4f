"""What tests of several folders share: paths, programs, servers, small networks."""
