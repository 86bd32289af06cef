# phantom
