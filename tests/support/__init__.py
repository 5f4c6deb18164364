"""What tests share: builders of inputs, warehouses to copy, servers, and expected values computed apart."""
